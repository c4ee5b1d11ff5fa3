# The front end, the static binary, and nothing else.
FROM node:20-bookworm-slim AS web
WORKDIR /src/dashboard/web
COPY dashboard/web/package.json dashboard/web/package-lock.json dashboard/web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY dashboard/web ./
RUN npm run build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/dashboard/web/dist dashboard/web/dist
ARG VERSION=docker
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /gengfu ./gateway \
 && mkdir -p /data

FROM scratch
COPY --from=build /gengfu /gengfu
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
VOLUME /data
EXPOSE 8080
# With HTTPS: -e GENGFU_ADDRESS=https://127.0.0.1:8080 -e GENGFU_INSECURE=true
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s CMD ["/gengfu", "health"]
ENTRYPOINT ["/gengfu"]
CMD ["run", "--config", "/etc/gengfu/site.yaml", "--data", "/data", "--listen", "0.0.0.0:8080"]
