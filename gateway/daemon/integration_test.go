package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/facility/porttest"
	"gengfu/gateway/brokertest"
	"gengfu/gateway/config"
	"gengfu/storage/history/influx"
	"gengfu/storage/history/influxtest"
)

// told is a read as the slave tells it: what it answered, and when.
type told struct {
	unit  int
	value float64
	at    time.Time
}

// slave is a pymodbus process.
type slave struct {
	t       *testing.T
	stdin   io.WriteCloser
	serving chan struct{}
	stopped chan struct{}

	mu    sync.Mutex
	reads []told
}

const python = "/usr/bin/python3" // Debian's, which has Debian's pymodbus

// need skips the test where something that it needs is not installed; on CI that
// is a failure.
func need(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %v", what, err)
	}
	t.Skipf("%s is missing: %v", what, err)
}

func startSlave(t *testing.T, kind, port string, units ...string) *slave {
	t.Helper()
	cmd := exec.Command(python, append([]string{"testdata/slave.py", kind, port}, units...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &slave{t: t, stdin: stdin, serving: make(chan struct{}), stopped: make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(func() { s.listen(stdout) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait()
	})
	select {
	case <-s.serving:
	case <-time.After(2 * time.Minute):
		t.Fatal("pymodbus does not serve")
	}
	return s
}

func (s *slave) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch f := strings.Fields(lines.Text()); {
		case len(f) == 1 && f[0] == "serving":
			close(s.serving)
		case len(f) == 1 && f[0] == "stopped":
			close(s.stopped)
		case len(f) == 3:
			unit, err1 := strconv.Atoi(f[0])
			value, err2 := strconv.ParseFloat(f[1], 64)
			at, err3 := strconv.ParseFloat(f[2], 64)
			if err1 != nil || err2 != nil || err3 != nil {
				s.t.Errorf("the slave says %q", lines.Text())
				continue
			}
			s.mu.Lock()
			s.reads = append(s.reads, told{unit, value, time.UnixMicro(int64(at * 1e6))})
			s.mu.Unlock()
		}
	}
}

func (s *slave) told() []told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]told(nil), s.reads...)
}

// stop ends the answers and returns all that were given.
func (s *slave) stop() []told {
	s.t.Helper()
	if _, err := io.WriteString(s.stdin, "stop\n"); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.stopped:
	case <-time.After(time.Minute):
		s.t.Fatal("pymodbus does not stop")
	}
	return s.told()
}

// ptyPair is two ends of one serial line, by socat.
func ptyPair(t *testing.T) (ours, theirs string) {
	t.Helper()
	_, err := exec.LookPath("socat")
	need(t, "socat", err)
	dir := t.TempDir()
	ours, theirs = filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	cmd := exec.Command("socat", "pty,raw,echo=0,link="+ours, "pty,raw,echo=0,link="+theirs)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	eventually(t, 2*time.Minute, "the serial line", func() bool {
		_, err1 := os.Stat(ours)
		_, err2 := os.Stat(theirs)
		return err1 == nil && err2 == nil
	})
	return ours, theirs
}

// eventually looks at the condition until it holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", within, what)
		}
	}
}

const countingProfile = `id: counting
name: {zh: 计数, en: Counting}
kind: counting
source: testdata/slave.py
points:
  - {id: number, name: {zh: 数, en: Number}, kind: measure, table: input, address: 0, type: u32, period: 500ms}
`

func siteFile(t *testing.T, serial, tcpPort, brokerURL, influxURL, token, bucket string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"token":                  token,
		"profiles/counting.yaml": countingProfile,
		// An answer that is late is thrown away, and rightly so; here none is to be.
		"site.yaml": fmt.Sprintf(`site: {id: proof, name: 验证, time_zone: Asia/Shanghai}
profiles: profiles
lines:
  - {id: bus, protocol: modbus-rtu, serial: {port: %s, baud: 9600}, timeout: 20s, timeout_min: 20s}
  - {id: socket, protocol: modbus-tcp, tcp: {address: "127.0.0.1:%s"}, timeout: 20s, timeout_min: 20s}
devices:
  - {id: one, name: 一, profile: counting, line: bus, address: 1}
  - {id: two, name: 二, profile: counting, line: bus, address: 2}
  - {id: three, name: 三, profile: counting, line: socket, address: 3}
mqtt: {url: "%s"}
history: {engine: influxdb, influxdb: {url: "%s", org: any, bucket: %s, token_file: token}}
dashboard: {listen: "127.0.0.1:0"}
`, serial, tcpPort, brokerURL, influxURL, bucket),
	}
	for name, content := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "site.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFromPymodbusThroughMosquittoIntoInfluxDB compares every value that slaves
// of somebody else's making answered with what a real InfluxDB holds in the end.
func TestFromPymodbusThroughMosquittoIntoInfluxDB(t *testing.T) {
	need(t, "pymodbus", exec.Command(python, "-c", "import pymodbus, serial_asyncio").Run())
	brokerURL := brokertest.StartMosquitto(t).URL()
	influxURL, token, bucket := influxtest.Start(t)
	ours, theirs := ptyPair(t)
	port := porttest.Port(t)
	slaves := []*slave{startSlave(t, "rtu", theirs, "1", "2"), startSlave(t, "tcp", port, "3")}
	c := siteFile(t, ours, port, brokerURL, influxURL, token, bucket)

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	began := time.Now()
	go func() {
		ended <- Run(ctx, Options{
			Config: c, Data: t.TempDir(), Version: "test",
			Logger: slog.New(slog.DiscardHandler),
		})
	}()
	const enough = 12
	eventually(t, 2*time.Minute, "reads of every unit", func() bool {
		count := map[int]int{}
		for _, s := range slaves {
			for _, r := range s.told() {
				count[r.unit]++
			}
		}
		return count[1] >= enough && count[2] >= enough && count[3] >= enough
	})
	var want []told
	for _, s := range slaves {
		want = append(want, s.stop()...)
	}

	store, err := influx.New(influx.Options{URL: influxURL, Org: "any", Bucket: bucket, Token: token, Site: "proof"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	held := func() []facility.Reading {
		var all []facility.Reading
		for _, d := range c.Estate.Devices {
			for _, p := range d.Points {
				if p.ID.Quantity != "number" {
					continue
				}
				rs, err := store.Readings(ctx, p, d.Kind, began.Add(-time.Minute), time.Now().Add(time.Minute))
				if err != nil {
					t.Logf("not yet: %v", err)
					return nil
				}
				for _, r := range rs {
					if r.Quality != facility.Bad {
						all = append(all, r)
					}
				}
			}
		}
		return all
	}
	eventually(t, 2*time.Minute, fmt.Sprintf("%d readings in InfluxDB", len(want)), func() bool { return len(held()) >= len(want) })
	got := held()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	compare(t, want, got)
}

// compare holds what was told against what is held: the same values, each once,
// at the time at which it was read, on the device that it is of.
func compare(t *testing.T, want []told, got []facility.Reading) {
	t.Helper()
	devices := map[int]string{1: "one", 2: "two", 3: "three"}
	byValue := map[float64]facility.Reading{}
	for _, r := range got {
		if other, double := byValue[r.Value]; double {
			t.Errorf("%v is held twice: %v at %v, %v at %v", r.Value, r.Point, r.Time, other.Point, other.Time)
		}
		byValue[r.Value] = r
	}
	const slack = 5 * time.Second // 9600 baud, pymodbus, and a loaded machine
	for _, w := range want {
		r, ok := byValue[w.value]
		if !ok {
			t.Errorf("%v of unit %d, told at %v, is missing", w.value, w.unit, w.at)
			continue
		}
		delete(byValue, w.value)
		if r.Point.Device != devices[w.unit] {
			t.Errorf("%v of unit %d is held for %s", w.value, w.unit, r.Point)
		}
		if d := r.Time.Sub(w.at); d < -slack || d > slack {
			t.Errorf("%v of unit %d was told at %v and is held at %v", w.value, w.unit, w.at, r.Time)
		}
	}
	for _, r := range byValue {
		t.Errorf("%v of %v at %v was never told", r.Value, r.Point, r.Time)
	}
	t.Logf("%d values told and held", len(want))
}
