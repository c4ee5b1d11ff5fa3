package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/devices/simulator"
	"gengfu/facility"
	"gengfu/facility/porttest"
	"gengfu/gateway/brokertest"
	"gengfu/gateway/clock"
	"gengfu/gateway/config"
	"gengfu/storage/history"
	"gengfu/storage/ledger"
)

// fasthttp keeps a clock, and a sweeper for ten seconds after its server's end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// load checks a site file with the files beside it.
func load(t *testing.T, text string, more map[string][]byte) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range more {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// box is one gateway with its data folder, which may run several times.
type box struct {
	t      *testing.T
	config *config.Config
	data   string
	clock  clock.Source // nil is this machine's

	ledger  *ledger.Ledger
	history history.Store
	url     string
	cancel  context.CancelFunc
	ended   chan error
}

func newBox(t *testing.T, c *config.Config) *box {
	b := &box{t: t, config: c, data: t.TempDir()}
	t.Cleanup(func() {
		if b.cancel != nil {
			b.stop()
		}
	})
	return b
}

func (b *box) start() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel, b.ended = cancel, make(chan error, 1)
	listening := make(chan string, 1)
	ended := b.ended
	go func() {
		ended <- Run(ctx, Options{
			Config: b.config, Data: b.data, Version: "test", Clock: b.clock,
			Logger:    slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			Listening: func(url string) { listening <- url },
			Prepare: func(_ context.Context, l *ledger.Ledger, h history.Store) error {
				b.ledger, b.history = l, h
				return nil
			},
		})
	}()
	select {
	case b.url = <-listening:
	case err := <-ended:
		b.t.Fatalf("it does not start: %v", err)
	}
}

func (b *box) stop() {
	b.t.Helper()
	b.cancel()
	b.cancel = nil
	select {
	case err := <-b.ended:
		if err != nil {
			b.t.Errorf("%s ended with %v", b.config.Gateway.Role, err)
		}
	case <-time.After(2 * time.Minute):
		b.t.Fatalf("%s does not stop", b.config.Gateway.Role)
	}
}

// get asks a path and returns status and body; 0 when there is no answer.
func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func client(t *testing.T, conf *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: conf}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func (b *box) ready() {
	b.t.Helper()
	c := client(b.t, nil)
	eventually(b.t, 2*time.Minute, string(b.config.Gateway.Role)+" to be ready", func() bool {
		code, _ := get(b.t, c, b.url+"/readyz")
		return code == http.StatusOK
	})
}

const twoBoxes = `site: {id: garden, name: {zh: 花园, en: Garden}, time_zone: Asia/Shanghai}
gateway: {id: basement, role: %s}
lines:
  - {id: socket, protocol: modbus-tcp, tcp: {address: "%s"}, timeout: 500ms}
devices:
  - {id: pump-1, name: 1号泵, profile: pump-controller, line: socket, address: 11, periods: {outlet_pressure: 200ms, fault: 200ms}}
rules: [pump-house]
mqtt: %s
dashboard: {listen: "127.0.0.1:0"}
`

func simulatedPump(t *testing.T) (*simulator.Slave, string) {
	t.Helper()
	c, err := config.BuiltIn("demo")
	if err != nil {
		t.Fatal(err)
	}
	slave, err := simulator.NewSlave(c.Profiles["pump-controller"], 11)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeTCP(ln, slave)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return slave, ln.Addr().String()
}

// pressures returns the values of the outlet pressure that the hub's history
// holds, each once, in order.
func (b *box) pressures() []float64 {
	b.t.Helper()
	p := facility.Point{ID: facility.PointID{Device: "pump-1", Quantity: "outlet_pressure"}}
	rs, err := b.history.Readings(b.t.Context(), p, "pump", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		b.t.Fatal(err)
	}
	var out []float64
	for _, r := range rs {
		if r.Quality == facility.Good && (len(out) == 0 || out[len(out)-1] != r.Value) {
			out = append(out, r.Value)
		}
	}
	return out
}

func (b *box) holds(want ...float64) {
	b.t.Helper()
	var got []float64
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the history has the pressures %v", got)
		}
	}()
	eventually(b.t, 2*time.Minute, fmt.Sprintf("the pressures %v in the history", want), func() bool {
		got = b.pressures()
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
}

// TestTwoBoxes: the field is read by one gateway and judged by another, and each
// is away for a while. Everything that the edge read arrives.
func TestTwoBoxes(t *testing.T) {
	t.Run("Mosquitto", func(t *testing.T) {
		url := brokertest.StartMosquitto(t).URL()
		away(t, fmt.Sprintf(`{url: "%s"}`, url), fmt.Sprintf(`{url: "%s"}`, url))
	})
	t.Run("embedded", func(t *testing.T) {
		port := porttest.Port(t)
		away(t, fmt.Sprintf(`{url: embedded, listen: "127.0.0.1:%s"}`, port), fmt.Sprintf(`{url: "tcp://127.0.0.1:%s"}`, port))
	})
}

func away(t *testing.T, hubMQTT, edgeMQTT string) {
	slave, address := simulatedPump(t)
	hub := newBox(t, load(t, fmt.Sprintf(twoBoxes, "hub", address, hubMQTT), nil))
	edge := newBox(t, load(t, fmt.Sprintf(twoBoxes, "edge", address, edgeMQTT), nil))
	// served waits until the edge has read what the slave says now.
	served := func() {
		t.Helper()
		from := slave.Served()
		eventually(t, 2*time.Minute, "the edge to read", func() bool { return slave.Served() > from+4 })
	}
	set := func(quantity string, v float64) {
		t.Helper()
		if err := slave.Set(quantity, v); err != nil {
			t.Fatal(err)
		}
	}

	set("outlet_pressure", 3.1)
	hub.start()
	edge.start()
	hub.ready()
	edge.ready()
	hub.holds(3.1)

	hub.stop()
	set("outlet_pressure", 3.2)
	served()
	set("fault", 1)
	served()
	set("fault", 0)
	set("outlet_pressure", 3.3)
	served()
	hub.start()
	hub.holds(3.1, 3.2, 3.3)
	alarms := func() []facility.Alarm {
		all, err := hub.ledger.Alarms(t.Context(), facility.AlarmFilter{Device: "pump-1"})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	eventually(t, 2*time.Minute, "the fault that came and went while the hub was away", func() bool {
		all := alarms()
		return len(all) == 1 && all[0].State == facility.AlarmReturned && all[0].Count == 1
	})

	edge.stop()
	set("outlet_pressure", 3.4)
	edge.start()
	hub.holds(3.1, 3.2, 3.3, 3.4)
	if all := alarms(); len(all) != 1 || all[0].Count != 1 {
		t.Errorf("told again: %+v", all)
	}
	// It is made when people are told, together with what comes beside it.
	eventually(t, 2*time.Minute, "its order, and no other", func() bool {
		orders, err := hub.ledger.Orders(t.Context(), facility.OrderFilter{})
		return err == nil && len(orders) == 1
	})
}

// TestAnEdgeSaysHowItIs: without a broker it is alive and not ready.
func TestAnEdgeSaysHowItIs(t *testing.T) {
	_, address := simulatedPump(t)
	edge := newBox(t, load(t, fmt.Sprintf(twoBoxes, "edge", address, `{url: "tcp://127.0.0.1:1"}`), nil))
	edge.start()
	c := client(t, nil)
	if code, body := get(t, c, edge.url+"/healthz"); code != http.StatusOK || body != "{\"status\":\"ok\"}\n" {
		t.Errorf("healthz: %d %s", code, body)
	}
	if code, body := get(t, c, edge.url+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, `"uplink urgent"`) || !strings.Contains(body, `"uplink telemetry"`) {
		t.Errorf("readyz: %d %s", code, body)
	}
	eventually(t, 2*time.Minute, "readings in the metrics", func() bool {
		_, body := get(t, c, edge.url+"/metrics")
		return strings.Contains(body, `gengfu_line_up{line="socket"} 1`) && !strings.Contains(body, "gengfu_collector_readings_total 0\n")
	})
	if code, _ := get(t, c, edge.url+"/"); code != http.StatusNotFound {
		t.Errorf("an edge shows a page: %d", code)
	}
}

// TestAHubSaysHowItIs: it is not ready while it hears nobody.
func TestAHubSaysHowItIs(t *testing.T) {
	hub := newBox(t, load(t, fmt.Sprintf(twoBoxes, "hub", "127.0.0.1:1", `{url: "tcp://127.0.0.1:1"}`), nil))
	hub.start()
	c := client(t, nil)
	eventually(t, 2*time.Minute, "the hub itself", func() bool {
		code, body := get(t, c, hub.url+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, `["intake"]`)
	})
	if code, _ := get(t, c, hub.url+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d", code)
	}
}

// certificate makes one for 127.0.0.1 with its key, in PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &is, &is, &pair.PublicKey, pair)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func TestHTTPS(t *testing.T) {
	cert, key := certificate(t)
	authority := x509.NewCertPool()
	authority.AppendCertsFromPEM(cert)
	for _, role := range []string{"both", "edge"} {
		t.Run(role, func(t *testing.T) {
			_, address := simulatedPump(t)
			mqtt := `{url: embedded}`
			if role == "edge" {
				mqtt = `{url: "tcp://127.0.0.1:1"}`
			}
			text := strings.Replace(fmt.Sprintf(twoBoxes, role, address, mqtt), `listen: "127.0.0.1:0"`,
				`listen: "127.0.0.1:0", cert_file: cert.pem, key_file: key.pem`, 1)
			b := newBox(t, load(t, text, map[string][]byte{"cert.pem": cert, "key.pem": key}))
			b.start()
			if !strings.HasPrefix(b.url, "https://127.0.0.1:") {
				t.Errorf("it says that it is at %s", b.url)
			}
			if code, body := get(t, client(t, &tls.Config{RootCAs: authority}), b.url+"/healthz"); code != http.StatusOK {
				t.Errorf("healthz: %d %s", code, body)
			}
			if code, _ := get(t, client(t, nil), b.url+"/healthz"); code != 0 {
				t.Errorf("whoever does not know the authority gets %d", code)
			}
			if code, _ := get(t, client(t, &tls.Config{RootCAs: authority, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}), b.url+"/healthz"); code != 0 {
				t.Errorf("TLS 1.1 gets %d", code)
			}
		})
	}
}
