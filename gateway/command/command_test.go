package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/configs"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/gateway/config"
)

// fasthttp keeps a clock, and a sweeper for ten seconds after its server's end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := Main(t.Context(), "1.2.3", args, strings.NewReader(stdin), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// wants checks the status, and pieces of what was printed.
func (r result) wants(t *testing.T, code int, out, errOut string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, errOut) {
		t.Errorf("status %d, want %d\nprinted %q, want %q\nsaid %q, want %q", r.code, code, r.out, out, r.err, errOut)
	}
}

func TestWhatIsAskedOfTheCommandLine(t *testing.T) {
	for _, test := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"version", done, "gengfu 1.2.3\n", ""},
		{"", done, "gengfu demo", ""},
		{"--help", done, "Exit status", ""},
		{"run --help", done, "--listen", ""},
		{"demo --help", done, "guard walk the rounds", ""},
		{"check --help", done, "--json", ""},
		{"read --help", done, "<device>", ""},
		{"simulate --help", done, "    break-pump N", ""},
		{"simulate", done, "    break-pump N", ""},
		{"user add --help", done, "--badge", ""},
		{"health --help", done, "--address", ""},
		{"bogus", wrong, "", `Try "gengfu --help"`},
		{"run", wrong, "", "--config"},
		{"user add zhao", wrong, "", `Try "gengfu user add --help"`},
		{"user add zhao --role king", wrong, "", "technician"},
		{"version --log-level loud", wrong, "", "debug"},
		{"check --config /no/such/file.yaml", failed, "", "/no/such/file.yaml"},
		{"run --config /no/such/file.yaml", failed, "", "/no/such/file.yaml"},
		{"simulate break-pump 1 --data /no/such/folder", failed, "", "no demo runs in /no/such/folder"},
		{"health --address http://127.0.0.1:1", failed, "", "refused"},
	} {
		t.Run(test.args, func(t *testing.T) {
			run(t, "", strings.Fields(test.args)...).wants(t, test.code, test.out, test.err)
		})
	}
}

// write makes a file in a folder of the test's own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	example, err := configs.FS.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	right := write(t, "site.yaml", string(example))
	bad := write(t, "site.yaml", strings.Replace(string(example), "baud: 9600, parity: none", "baud: 17, parity: none", 1))

	run(t, "", "check").wants(t, done, "ok: site", "")
	run(t, "", "check", "--config", right).wants(t, done, "ok: site example", "")
	run(t, "", "check", "--config", bad).wants(t, wrong, "", "site.yaml:")
	run(t, "", "run", "--config", bad, "--data", t.TempDir()).wants(t, wrong, "", "→")

	for path, ok := range map[string]bool{right: true, bad: false} {
		r := run(t, "", "check", "--json", "--config", path)
		var told struct {
			OK       bool             `json:"ok"`
			Findings []config.Finding `json:"findings"`
		}
		if err := json.Unmarshal([]byte(r.out), &told); err != nil {
			t.Fatalf("%v in %q", err, r.out)
		}
		if told.OK != ok || (len(told.Findings) == 0) != ok || r.err != "" || r.code != map[bool]int{true: done, false: wrong}[ok] {
			t.Errorf("%s: status %d, said %q, told %+v", path, r.code, r.err, told)
		}
		for _, f := range told.Findings {
			if f.Line == 0 || f.What == "" || f.Cure == "" {
				t.Errorf("a finding without place or cure: %+v", f)
			}
		}
	}
}

func TestUsers(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new")
	run(t, "", "user", "list", "--data", data).wants(t, failed, "", "no gateway has run")
	if _, err := os.Stat(data); err == nil {
		t.Error("asking makes a folder")
	}
	run(t, "geheim-1\n", "user", "add", "zhao", "--role", "guard", "--name", "赵队", "--badge", "04:a0:35:b2", "--data", data, "--site", "garden").
		wants(t, done, "zhao may sign in as guard", "")
	run(t, "geheim-2", "user", "add", "li", "--role", "desk", "--data", data).wants(t, done, "li may", "")
	run(t, "geheim-3\n", "user", "add", "li", "--role", "desk", "--data", data).wants(t, failed, "", "taken")
	run(t, "geheim-3\n", "user", "add", "sun", "--role", "guard", "--badge", "04A035B2", "--data", data).wants(t, failed, "", "taken")
	run(t, "short\n", "user", "add", "sun", "--role", "guard", "--data", data).wants(t, failed, "", "8 to")
	run(t, "", "user", "add", "sun", "--role", "guard", "--data", data).wants(t, failed, "", "8 to")
	run(t, "geheim-3\n", "user", "add", "Sun!", "--role", "guard", "--data", data).wants(t, failed, "", `"Sun!"`)
	run(t, "geheim-3\n", "user", "add", "sun", "--role", "guard", "--badge", "xyz", "--data", data).wants(t, failed, "", "hex")
	run(t, "", "user", "disable", "li", "--data", data).wants(t, done, "may not sign in", "")
	run(t, "", "user", "disable", "nobody", "--data", data).wants(t, failed, "", "not found")
	list := run(t, "", "user", "list", "--data", data)
	list.wants(t, done, "04A035B2", "")
	for _, line := range []string{"zhao  guard  active    赵队", "li    desk   disabled  li"} {
		if !strings.Contains(list.out, line) {
			t.Errorf("%q is not in\n%s", line, list.out)
		}
	}
	run(t, "", "user", "enable", "li", "--data", data).wants(t, done, "may sign in again", "")
	run(t, "geheim-9\n", "user", "password", "li", "--data", data).wants(t, done, "new password", "")
	run(t, "geheim-9\n", "user", "password", "nobody", "--data", data).wants(t, failed, "", "not found")
}

// pump is a simulated pump on a Modbus TCP gateway.
func pump(t *testing.T) (slave *simulator.Slave, address string) {
	t.Helper()
	c, err := config.BuiltIn("demo")
	if err != nil {
		t.Fatal(err)
	}
	var p profile.Profile = c.Profiles["pump-controller"]
	if slave, err = simulator.NewSlave(p, 11); err != nil {
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
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return slave, ln.Addr().String()
}

func siteWith(t *testing.T, pumpAddress string) string {
	t.Helper()
	return write(t, "site.yaml", fmt.Sprintf(`site: {id: garden, name: {zh: 花园, en: Garden}, time_zone: Asia/Shanghai}
lines:
  - {id: socket, protocol: modbus-tcp, tcp: {address: "%s"}, timeout: 300ms}
devices:
  - {id: pump-1, name: 1号泵, profile: pump-controller, line: socket, address: 11}
  - {id: pump-2, name: 2号泵, profile: pump-controller, line: socket, address: 12}
rules: [pump-house]
alarms: {group: 1s}
dashboard: {listen: "127.0.0.1:0"}
`, pumpAddress))
}

func TestRead(t *testing.T) {
	slave, address := pump(t)
	if err := slave.Set("outlet_pressure", 3.42); err != nil {
		t.Fatal(err)
	}
	site := siteWith(t, address)
	r := run(t, "", "read", "pump-1", "--config", site)
	r.wants(t, done, "→ 00 01 00 00 00 06 0B 03", "")
	for _, line := range strings.Split(r.out, "\n") {
		if strings.HasPrefix(line, "outlet_pressure ") && (!strings.Contains(line, "3.42") || !strings.Contains(line, "bar") || !strings.Contains(line, "good")) {
			t.Errorf("the pressure is read as %q", line)
		}
	}
	if r := run(t, "", "read", "pump-1", "--config", site, "--no-raw"); strings.Contains(r.out, "→") || !strings.Contains(r.out, "3.42") {
		t.Errorf("without frames: %q", r.out)
	}

	var told struct {
		Readings []struct {
			Point   string   `json:"point"`
			Value   *float64 `json:"value"`
			Quality string   `json:"quality"`
		} `json:"readings"`
		Frames []struct{ Request, Reply string } `json:"frames"`
		Error  string                            `json:"error"`
	}
	r = run(t, "", "read", "pump-1", "--config", site, "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != done || len(told.Frames) == 0 || told.Error != "" {
		t.Fatalf("status %d, %v: %s", r.code, err, r.out)
	}
	found := false
	for _, reading := range told.Readings {
		if reading.Point == "pump-1/outlet_pressure" {
			found = reading.Value != nil && *reading.Value == 3.42 && reading.Quality == "good"
		}
	}
	if !found {
		t.Errorf("read %+v", told.Readings)
	}

	run(t, "", "read", "pump-2", "--config", site).wants(t, failed, "–", "read pump-2")
	r = run(t, "", "read", "pump-2", "--config", site, "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != failed || told.Error == "" {
		t.Errorf("status %d, %v: %s", r.code, err, r.out)
	}
	run(t, "", "read", "pump-3", "--config", site).wants(t, failed, "", "[pump-1 pump-2]")
}

func TestReadIsInterrupted(t *testing.T) {
	_, address := pump(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	if code := Main(ctx, "x", []string{"read", "pump-1", "--config", siteWith(t, address)}, nil, &out, &errOut); code != interrupted {
		t.Errorf("status %d, said %q", code, errOut.String())
	}
}

// screen is what a command that runs has printed so far.
type screen struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// gateway is a command that runs until it is told to stop.
type gateway struct {
	t        *testing.T
	out, err screen
	cancel   context.CancelFunc
	ended    chan int
	url      string
}

// launch runs a command in the background.
func launch(t *testing.T, args ...string) *gateway {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := &gateway{t: t, cancel: cancel, ended: make(chan int, 1)}
	go func() { g.ended <- Main(ctx, "x", args, strings.NewReader(""), &g.out, &g.err) }()
	t.Cleanup(func() { g.stop() })
	return g
}

// start launches a gateway and waits until it is ready.
func start(t *testing.T, args ...string) *gateway {
	t.Helper()
	g := launch(t, args...)
	eventually(t, "its address", func() bool {
		_, rest, ok := strings.Cut(g.out.String(), "http://")
		if ok {
			g.url = "http://" + strings.Fields(rest)[0]
		}
		return ok
	})
	eventually(t, "that it is ready", func() bool { return run(t, "", "health", "--address", g.url).code == done })
	if r := run(t, "", "health", "--dead-letters", "--address", g.url); r.code != done || r.out != "" {
		t.Errorf("dead letters of an honest gateway: status %d, %q, %q", r.code, r.out, r.err)
	}
	return g
}

// stop tells it to stop, and returns how it ended and how long that took.
func (g *gateway) stop() (code int, took time.Duration) {
	begun := time.Now()
	g.cancel()
	select {
	case code = <-g.ended:
		g.ended <- code
	case <-time.After(2 * time.Minute):
		g.t.Errorf("it does not stop: %s", g.err.String())
	}
	return code, time.Since(begun)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited long for %s", what)
		}
	}
}
