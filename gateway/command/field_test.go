package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gengfu/devices/simulator"
	"gengfu/gateway/config"
)

// onPort is a simulated line of 9600 8N1 on a pty; each device is written as
// profile@address.
func onPort(t *testing.T, opts simulator.Options, names ...string) (port string, slaves []*simulator.Slave) {
	t.Helper()
	c, err := config.BuiltIn("demo")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		id, address, _ := strings.Cut(n, "@")
		p, ok := c.Profiles[id]
		if !ok {
			t.Fatalf("no profile %s", id)
		}
		s, err := simulator.New(p, address)
		if err != nil {
			t.Fatal(err)
		}
		slaves = append(slaves, s)
	}
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	if opts.Wire == (simulator.Wire{}) {
		opts.Wire = simulator.Wire{Baud: 9600, Turnaround: 5 * time.Millisecond}
	}
	bus, err := simulator.NewLine(tty, opts, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return tty.Path(), slaves
}

// fieldSite is a site with one meter on a port.
func fieldSite(t *testing.T, port, more string) string {
	t.Helper()
	return write(t, "site.yaml", fmt.Sprintf(`site: {id: garden, name: {zh: 花园, en: Garden}, time_zone: Asia/Shanghai}
lines:
  - {id: meters, protocol: modbus-rtu, serial: {port: %q}, timeout: 300ms}
devices:
  - {id: main, name: 总表, profile: eastron-sdm120, line: meters, address: 1, periods: {voltage: 300ms, frequency: 300ms}}
%s
dashboard: {listen: "127.0.0.1:0"}
`, port, more))
}

func contains(t *testing.T, in string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(in, w) {
			t.Errorf("no %q in\n%s", w, in)
		}
	}
}

func TestScanNamesWhatIsThereAndSaysWhatToWrite(t *testing.T) {
	port, _ := onPort(t, simulator.Options{}, "eastron-sdm120@3", "tuf-2000@7")
	r := run(t, "", "scan", port, "--baud", "9600", "--parity", "none", "--protocol", "modbus-rtu", "--address", "1-8")
	r.wants(t, done, "", "found modbus-rtu 3 at 9600 8N1: eastron-sdm120 (sure)")
	contains(t, r.err, "at most", "8 attempts")
	contains(t, r.out, "ADDRESS", "eastron-sdm120", "tuf-2000", "2 found", "serial: {port: "+port+", baud: 9600, parity: none", "profile: tuf-2000, line: field, address: 7}")

	// What it proposes is a site file.
	_, yaml, _ := strings.Cut(r.out, "paste into the site file:\n")
	site := write(t, "site.yaml", "site: {id: garden, name: {zh: 花园, en: Garden}, time_zone: Asia/Shanghai}\n"+yaml)
	run(t, "", "check", "--config", site).wants(t, done, "1 lines, 2 devices", "")

	var told struct {
		Devices []struct {
			Address    string
			Candidates []struct{ Profile, Confidence string }
		}
		YAML string
	}
	r = run(t, "", "scan", port, "--baud", "9600", "--parity", "8N1", "--protocol", "modbus-rtu", "--address", "3", "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != done || len(told.Devices) != 1 ||
		told.Devices[0].Candidates[0].Profile != "eastron-sdm120" || !strings.Contains(told.YAML, "eastron-sdm120") {
		t.Errorf("status %d, %v: %s", r.code, err, r.out)
	}
	run(t, "", "scan", port, "--baud", "9600", "--parity", "none", "--protocol", "modbus-rtu", "--address", "1,2").wants(t, failed, "", "nobody answers")
	run(t, "", "scan", port, "--parity", "mark").wants(t, failed, "", "write none, even, odd")
	run(t, "", "scan", port, "--address", "9-1").wants(t, failed, "", "1-32,40")
	run(t, "", "scan", port, "--protocol", "profibus").wants(t, failed, "", "cjt188")
	run(t, "", "scan", "127.0.0.1:1", "--baud", "9600").wants(t, failed, "", "is a socket")
	run(t, "", "scan", "no-such-line").wants(t, failed, "", "needs --config")
	run(t, "", "scan", "/dev/no-such-port").wants(t, failed, "", "plugged in")
}

func TestReadWithoutASiteFile(t *testing.T) {
	port, slaves := onPort(t, simulator.Options{}, "eastron-sdm120@1", "dlt645-2007@000000000161")
	if err := slaves[0].Set("voltage", 231.5); err != nil {
		t.Fatal(err)
	}
	r := run(t, "", "read", "--port", port, "--profile", "eastron-sdm120", "--address", "1", "--no-raw")
	r.wants(t, done, "", "")
	for _, l := range strings.Split(r.out, "\n") {
		if strings.HasPrefix(l, "voltage ") {
			contains(t, l, "231.5", "V", "4367 8000", "good", "电压 · Voltage")
		}
	}
	r = run(t, "", "read", "--port", port, "--profile", "dlt645-2007", "--address", "000000000161", "--json")
	contains(t, r.out, `"point": "dlt645-2007-000000000161/`, `"quality": "good"`, `"request": "FEFEFEFE68`)

	r = run(t, "", "read", "--port", port, "--table", "input", "--from", "0", "--count", "2", "--address", "1")
	r.wants(t, done, "", "")
	contains(t, r.out, "F32 ABCD")
	contains(t, strings.Join(strings.Fields(r.out), " "), "0 4367 17255 17255 231.5 ", "1 8000 32768 -32768 –")
	r = run(t, "", "read", "--port", port, "--table", "input", "--from", "40000", "--count", "2", "--address", "1")
	r.wants(t, failed, "exception 02", "exception 02")
	for _, test := range []struct{ args, want string }{
		{"read", "--port with --profile"},
		{"read --port " + port, "--port needs --profile"},
		{"read --port " + port + " --profile eastron", `no profile "eastron"`},
		{"read --port " + port + " --profile eastron-sdm120", "--address"},
		{"read --port " + port + " --profile eastron-sdm120 --address 300", "300"},
		{"read --port " + port + " --table input", "--table needs"},
		{"read --port " + port + " --table inputs --address 1", "coil, discrete, holding or input"},
		{"read --port " + port + " --table input --address 1 --from 65530", "0 to 65535"},
	} {
		run(t, "", strings.Fields(test.args)...).wants(t, failed, "", test.want)
	}
}

func TestWatchMarksWhatChanges(t *testing.T) {
	port, slaves := onPort(t, simulator.Options{}, "eastron-sdm120@1")
	ctx, cancel := context.WithCancel(t.Context())
	var out, errOut screen
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, "x", []string{"read", "--port", port, "--profile", "eastron-sdm120", "--address", "1", "--watch", "--every", "100ms", "--no-raw"},
			strings.NewReader(""), &out, &errOut)
	}()
	eventually(t, "the first table", func() bool { return strings.Contains(out.String(), "energy_total") })
	if err := slaves[0].Set("voltage", 199.5); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change", func() bool { return strings.Contains(out.String(), "voltage 199.5 V") })
	cancel()
	if code := <-ended; code != done {
		t.Errorf("status %d: %s", code, errOut.String())
	}
}

// writable is a profile whose set point may be written.
const writable = `id: booster
name: {zh: 增压泵, en: Booster}
kind: pump
maker: various
model: test
source: this test
verified: false
points:
  - {id: setpoint, name: {zh: 设定压力, en: Set point}, kind: measure, unit: bar, table: holding, address: 4, type: i16, scale: 0.01, decimals: 2, min: 0, max: 10, writable: true}
  - {id: auto, name: {zh: 自动, en: Automatic}, kind: state, table: holding, address: 5, type: u16, bit: 0, writable: true, labels: {0: {zh: 手动, en: manual}, 1: {zh: 自动, en: automatic}}}
  - {id: pressure, name: {zh: 压力, en: Pressure}, kind: measure, unit: bar, table: holding, address: 6, type: i16, scale: 0.01, decimals: 2}
golden:
  - source: computed
    request: "01 03 00 04 00 01 C5 CB"
    reply: "01 03 02 01 40 B8 24"
    values: {setpoint: 3.2}
persona:
  values: {setpoint: 3.2, auto: 0, pressure: 3}
`

func boosterSite(t *testing.T, allowed string) (site string, slave *simulator.Slave) {
	t.Helper()
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "profiles"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "profiles", "booster.yaml"), []byte(writable), 0o600); err != nil {
		t.Fatal(err)
	}
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	site = filepath.Join(folder, "site.yaml")
	if err := os.WriteFile(site, fmt.Appendf(nil, `site: {id: garden, name: {zh: 花园, en: Garden}, time_zone: Asia/Shanghai}
profiles: profiles
lines:
  - {id: pumps, protocol: modbus-rtu, serial: {port: %q}}
devices:
  - {id: booster, name: 增压泵, profile: booster, line: pumps, address: 1, write: %s}
`, tty.Path(), allowed), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(site)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = simulator.New(c.Profiles["booster"], "1"); err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewBus(tty, simulator.Wire{Baud: 9600, Turnaround: 5 * time.Millisecond}, slave)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return site, slave
}

func TestWriteAsksAndReadsBack(t *testing.T) {
	site, slave := boosterSite(t, "[setpoint, auto]")
	shows := func(quantity string, want float64) {
		t.Helper()
		if got, err := slave.Get(quantity); err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", quantity, got, err, want)
		}
	}
	write := func(stdin string, args ...string) result {
		return run(t, stdin, append([]string{"write", "--config", site}, args...)...)
	}
	write("no\n", "booster", "setpoint", "3.5").wants(t, failed, "3.20 bar → 3.50 bar", "nothing was written")
	write("", "booster", "setpoint", "3.5").wants(t, failed, "Type yes", "nothing was written")
	shows("setpoint", 3.2)
	r := write("yes\n", "booster", "setpoint", "3.5")
	r.wants(t, done, "written, and read back: 3.50 bar", "msg=written")
	contains(t, r.err, "device=booster", "quantity=setpoint", "before=3.2", "after=3.5", "by=")
	shows("setpoint", 3.5)
	write("", "booster", "auto", "automatic", "--yes").wants(t, done, "0 手动 · manual → 1 自动 · automatic", "")
	shows("auto", 1)

	r = write("", "booster", "setpoint", "4", "--yes", "--json")
	var told struct {
		Before, After float64
		Written       bool
		Frames        []any
	}
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != done || !told.Written || told.Before != 3.5 || told.After != 4 || len(told.Frames) < 3 {
		t.Errorf("status %d, %v: %s", r.code, err, r.out)
	}
	write("", "booster", "setpoint", "11", "--yes").wants(t, failed, "", "outside its range")
	write("", "booster", "setpoint", "much", "--yes").wants(t, failed, "", "is no value")
	write("", "booster", "pressure", "3", "--yes").wants(t, failed, "", "cannot be written")
	write("", "booster", "speed", "3", "--yes").wants(t, failed, "", "setpoint")
	write("", "booster", "setpoint", "3", "--json").wants(t, failed, "", "needs --yes")
	shows("setpoint", 4)

	forbidden, _ := boosterSite(t, "false")
	run(t, "", "write", "--config", forbidden, "booster", "setpoint", "3", "--yes").wants(t, failed, "", "write: [setpoint]")
}

func TestSniffShowsWhatOthersSay(t *testing.T) {
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tty.Close(); err != nil {
			t.Error(err)
		}
	}()
	site := fieldSite(t, tty.Path(), "")
	file := filepath.Join(t.TempDir(), "heard.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	var out, errOut screen
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, "x", []string{"sniff", "meters", "--config", site, "--out", file}, strings.NewReader(""), &out, &errOut)
	}()
	eventually(t, "that it listens", func() bool { return strings.Contains(errOut.String(), "nothing is sent") })
	for _, frame := range [][]byte{{1, 4, 0, 0, 0, 2, 0x71, 0xCB}, {1, 4, 4, 0x43, 0x66, 0x33, 0x34, 0x1B, 0x38}} {
		if _, err := tty.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the voltage", func() bool { return strings.Contains(out.String(), "voltage 230.2 V") })
	cancel()
	if code := <-ended; code != done {
		t.Errorf("status %d: %s", code, errOut.String())
	}
	contains(t, out.String(), "main (1)  read input 0+2", "← modbus-rtu", "01 04 04 43 66 33 34 1B 38")
	contains(t, errOut.String(), "2 frames (1 requests, 1 replies")

	r := run(t, "", "replay", file, "--profile", "eastron-sdm120")
	r.wants(t, done, "voltage 230.2 V", "0 exchanges")
	r = run(t, "", "replay", file, "--config", site, "--json")
	r.wants(t, done, `"quantity":"voltage"`, "")
	run(t, "", "sniff", tty.Path(), "--for", "100ms").wants(t, done, "", "nothing was heard")
}

func TestTraceOfARunningGatewayIsReplayed(t *testing.T) {
	port, _ := onPort(t, simulator.Options{}, "eastron-sdm120@1")
	site, data := fieldSite(t, port, ""), t.TempDir()
	run(t, "", "trace", "meters", "--data", data).wants(t, failed, "", "no gateway runs in")
	start(t, "run", "--config", site, "--data", data)
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	r := run(t, "", "trace", "meters", "--data", data, "--for", "2s", "--out", file)
	r.wants(t, done, "main (1)  read input", "running gateway")
	contains(t, r.out, "voltage 229 V", "frequency 50 Hz")
	run(t, "", "trace", "garden", "--data", data).wants(t, failed, "", `no line "garden"`)

	// The same bytes mean the same now; with another profile they do not.
	run(t, "", "replay", file, "--config", site).wants(t, done, "voltage", "0 decoded otherwise than then")
	r = run(t, "", "replay", file, "--profile", "eastron-sdm630", "--differs")
	if r.code != failed || !strings.Contains(r.err, "decoded otherwise") {
		t.Errorf("status %d: %s", r.code, r.err)
	}
	contains(t, r.out, "differs: ")
	run(t, "", "scan", port, "--baud", "9600").wants(t, failed, "", "gengfu trace")
}

func TestReplayRefusesOtherFiles(t *testing.T) {
	run(t, "hello\n", "replay", "-").wants(t, failed, "", "no trace that this program can read")
	run(t, "", "replay", "/no/such/file").wants(t, failed, "", "/no/such/file")
	run(t, "", "replay", "-", "--profile", "nothing").wants(t, failed, "", `no profile "nothing"`)
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	port, slaves := onPort(t, simulator.Options{}, "eastron-sdm120@1", "eastron-sdm120@2")
	site := fieldSite(t, port, "  - {id: second, name: 二表, profile: eastron-sdm120, line: meters, address: 2}")
	run(t, "", "doctor", "meters", "--config", site).wants(t, done, "fine   answers     2 of 2 answer", "")
	slaves[1].SetFault(simulator.Fault{Kind: simulator.Silent})
	r := run(t, "", "doctor", "meters", "--config", site)
	r.wants(t, failed, "wrong  answers     second: it does not answer while others on the line do", "something is wrong")
	var told struct {
		OK       bool
		Findings []struct{ Check, Device, Found, Cure, Severity string }
	}
	r = run(t, "", "doctor", "meters", "--config", site, "--json")
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != failed || told.OK || told.Findings[0].Device != "second" || told.Findings[0].Cure == "" {
		t.Errorf("status %d, %v: %s", r.code, err, r.out)
	}
	run(t, "", "doctor", port, "--baud", "9600", "--address", "1", "--profile", "eastron-sdm120").wants(t, done, "1 of 1 answer", "")
	run(t, "", "doctor", "/dev/no-such-port").wants(t, failed, "there is no /dev/no-such-port", "")
}

func TestAScanIsInterrupted(t *testing.T) {
	port, _ := onPort(t, simulator.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	var out, errOut screen
	ended := make(chan int, 1)
	go func() { ended <- Main(ctx, "x", []string{"scan", port}, strings.NewReader(""), &out, &errOut) }()
	eventually(t, "the estimate", func() bool { return strings.Contains(errOut.String(), "at most") })
	cancel(errors.New("the test has seen enough"))
	if code := <-ended; code != interrupted {
		t.Errorf("status %d: %s", code, errOut.String())
	}
}
