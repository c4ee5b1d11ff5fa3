package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gengfu/configs"
	"gengfu/gateway/config"
)

// site is the estate that is measured: meters on a few lines, with the rules that
// come with the program.
type site struct {
	dir    string // for its files
	meters int    // 0 is 67, which are 1,005 points
	lines  []string
	broker string // its URL
	influx *influxServer
}

const (
	siteID    = "bench"
	gatewayID = "gw1"
	root      = "gengfu"
	baseModel = "eastron-sdm630" // 15 samples in three requests
	ownModel  = "bench-meter"    // the same, read each second
)

const siteFile = `site: {id: %s, name: {zh: 测量, en: Bench}, time_zone: Asia/Shanghai}
gateway: {id: %s, role: %s}
profiles: profiles
lines:
%sdevices:
%srules: [pump-house, meters, devices]
mqtt: {url: "%s", root: %s}
history: %s
dashboard: {listen: "127.0.0.1:0"}
`

// configure writes edge.yaml and hub.yaml and returns the edge's configuration.
func (s site) configure(engine string) (*config.Config, error) {
	if s.meters == 0 {
		s.meters = 67
	}
	if len(s.lines) == 0 {
		s.lines = []string{"127.0.0.1:1"} // nobody reads it
	}
	if s.broker == "" {
		s.broker = "tcp://127.0.0.1:1"
	}
	var lines, devices strings.Builder
	for i, address := range s.lines {
		fmt.Fprintf(&lines, "  - {id: line-%d, protocol: modbus-tcp, tcp: {address: %q}, timeout: 1s}\n", i, address)
	}
	for i := range s.meters {
		line, address := i%len(s.lines), 1+i/len(s.lines)
		fmt.Fprintf(&devices, "  - {id: meter-%d, name: %d号电表, profile: %s, line: line-%d, address: %d}\n", i, i, ownModel, line, address)
	}
	store := "{engine: " + engine + "}"
	if engine == config.InfluxDBEngine {
		store = fmt.Sprintf("{engine: influxdb, influxdb: {url: %q, org: any, bucket: %q, token_file: token}}", s.influx.url, influxBucket)
		if err := os.WriteFile(filepath.Join(s.dir, "token"), []byte(influxToken), 0o600); err != nil {
			return nil, err
		}
	}
	if err := s.model(); err != nil {
		return nil, err
	}
	for _, role := range []config.Role{config.Hub, config.Edge} {
		text := fmt.Sprintf(siteFile, siteID, gatewayID, role, lines.String(), devices.String(), s.broker, root, store)
		if err := os.WriteFile(s.file(role), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return config.Load(s.file(config.Edge), config.Force(true))
}

func (s site) file(role config.Role) string { return filepath.Join(s.dir, string(role)+".yaml") }

// model writes the profile of the meters.
func (s site) model() error {
	text, err := configs.FS.ReadFile("profiles/" + baseModel + ".yaml")
	if err != nil {
		return fmt.Errorf("read a profile: %w", err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "id: %s\nname: {zh: 电表, en: Meter}\nkind: electricity_meter\nmaker: Gengfu\nmodel: bench\nsource: measured\nverified: false\nlimits: {registers: 80}\n\npoints:\n", ownModel)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  - {id: ") {
			fmt.Fprintf(&out, "%s, period: 1s}\n", strings.TrimSuffix(line, "}"))
		}
	}
	folder := filepath.Join(s.dir, "profiles")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, ownModel+".yaml"), []byte(out.String()), 0o600)
}
