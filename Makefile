# Gengfu. The two commands that matter are "make run" and "make test".

SHELL   := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOBIN   := $(shell go env GOPATH)/bin
DATA    ?= data/demo
LISTEN  ?= 127.0.0.1:8080
WEB     := dashboard/web
INFLUXD := github.com/influxdata/influxdb/cmd/influxd@v1.8.10
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

export CGO_ENABLED ?= 0

.PHONY: help run build web test test-deps lint unit web-test e2e torture kills bench bench-field bench-pipeline bench-rules bench-detectors fuzz fuzz-smoke clean

help: ## show this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s $$'\t'

run: build ## build everything and bring up the demo estate
	./bin/gengfu demo --data $(DATA) --listen $(LISTEN)

build: web ## build bin/gengfu with the front end in it
	go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/gengfu ./gateway

# The front end needs Node; without it the binary serves plain pages.
web: ## build the front end into dashboard/web/dist
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(WEB)/dist/index.html; \
	else echo "no npm here: the binary will serve plain pages at /basic"; fi

WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/public $(WEB)/sw $(WEB)/tools -type f 2>/dev/null) $(wildcard $(WEB)/*.ts $(WEB)/*.html $(WEB)/*.json)

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	cd $(WEB) && npm run --silent build
	@touch $@

test: test-deps lint web-test unit fuzz-smoke e2e ## install what the tests need and run them all

# Debian packages, the real InfluxDB, and npm packages by lock file.
DEBIAN := mosquitto:mosquitto chromium:chromium socat:socat mbpoll:mbpoll
test-deps: ## install what the tests need
	@missing=""; \
	for p in $(DEBIAN); do PATH=$$PATH:/usr/sbin command -v $${p#*:} >/dev/null || missing="$$missing $${p%:*}"; done; \
	{ command -v gcc >/dev/null && [ -e /usr/include/stdlib.h ]; } || missing="$$missing gcc libc6-dev"; \
	/usr/bin/python3 -c 'import pymodbus, serial_asyncio' 2>/dev/null || missing="$$missing python3-pymodbus python3-serial-asyncio"; \
	fc-list 2>/dev/null | grep -qi 'noto.*cjk' || missing="$$missing fontconfig fonts-noto-cjk"; \
	if [ -n "$$missing" ]; then \
	  if command -v apt-get >/dev/null; then \
	    $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	  elif [ "$$CI" = true ]; then echo "missing:$$missing, and no apt-get"; exit 1; \
	  else echo "missing:$$missing; the tests that need them will be skipped"; fi; \
	fi
	@[ -x $(GOBIN)/influxd ] || command -v influxd >/dev/null || go install $(INFLUXD)

lint: ## golangci-lint (with gofumpt) and go vet
	go vet ./...
	go build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	./bin/golangci-lint run ./...

# Pointers of SQLite's C, made into Go, are not checked: that takes half of its time.
unit: web ## Go tests, with the race detector, against real servers
	CGO_ENABLED=1 PATH=$$PATH:$(GOBIN):/usr/sbin go test -race -gcflags=modernc.org/...=-d=checkptr=0 -timeout 60m ./...

web-test: web ## types, unit tests and size budget of the front end
	@if command -v npm >/dev/null; then cd $(WEB) && npm run --silent check && npm run --silent budget; \
	elif [ "$$CI" = true ]; then echo "npm is missing"; exit 1; else echo "no npm: front-end tests skipped"; fi

e2e: build ## the whole product in a real browser
	@if command -v npm >/dev/null; then cd $(WEB) && GENGFU=$(CURDIR)/bin/gengfu npm run --silent e2e; \
	elif [ "$$CI" = true ]; then echo "npm is missing"; exit 1; else echo "no npm: browser tests skipped"; fi

# ROUNDS=50 is a short run; ONLY=kill is a part of the faults; SEED=1 draws the same again.
ROUNDS ?= 1000
torture: build ## break everything, again and again, and count every fact
	PATH=$$PATH:$(GOBIN):/usr/sbin go run ./gateway/torture -gengfu bin/gengfu -rounds $(ROUNDS) -slow -report bin/torture.json $(if $(SEED),-seed $(SEED)) $(if $(ONLY),-only "$(ONLY)")

bench: build ## figures of the whole product
	go run ./gateway/bench -gengfu bin/gengfu

# QUICK=1 is a run of a minute, to try; ONLY=share,tcp,... is a part of it.
bench-field: ## figures of the field side, beside its peers
	go run ./gateway/bench/field $(if $(QUICK),-quick) $(if $(ONLY),-only $(ONLY))

# QUICK=1 is a run of two minutes, to try; ONLY=journal,through,... is a part of it;
# PROFILE=FOLDER keeps processor profiles of the edge and the hub.
bench-pipeline: ## figures of the way from the edge to the history
	go run ./gateway/bench/pipeline $(if $(QUICK),-quick) $(if $(ONLY),-only $(ONLY)) $(if $(PROFILE),-profile $(PROFILE))

# QUICK=1 is a run of half a minute, to try; ONLY=rate,flat,... is a part of it.
bench-rules: ## figures of the rules engine, alone and in the hub, and of a hub that is killed
	go run ./gateway/bench/rules $(if $(QUICK),-quick) $(if $(ONLY),-only $(ONLY))
	$(if $(ONLY),,go run ./gateway/bench/kills -kills $(if $(QUICK),50,$(KILLS)))

KILLS ?= 1000
kills: ## kill a hub at random moments while alarms come and go, and count
	go run ./gateway/bench/kills -kills $(KILLS) $(if $(SEED),-seed $(SEED))

# The labelled series are not part of this project; they need python3 for their scorer.
SERIES ?= ../shared/data
bench-detectors: ## marks of the anomaly detectors on labelled series, beside others'
	go run ./gateway/bench/detectors -data $(SERIES)

FUZZTIME ?= 1m
fuzz: ## every fuzz test for FUZZTIME
	.ci/fuzz $(FUZZTIME) 1 .

fuzz-smoke: ## the fuzz tests of what comes over wires, for two seconds each
	.ci/fuzz 2s 2 devices gateway/payload

clean: ## remove what was built; data stays
	rm -rf bin $(WEB)/node_modules; find $(WEB)/dist -mindepth 1 ! -name .gitkeep -delete
