package doctor

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"gengfu/configs"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/simulator"
	"gengfu/devices/sniff"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func model(t *testing.T, id string) profile.Profile {
	t.Helper()
	b, err := configs.FS.ReadFile("profiles/" + id + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p profile.Profile
	if err := yaml.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	p.Defaults()
	return p
}

func slave(t *testing.T, p profile.Profile, address, faults string) *simulator.Slave {
	t.Helper()
	s, err := simulator.New(p, address)
	if err != nil {
		t.Fatal(err)
	}
	if faults != "" {
		f, err := simulator.ParseFault(faults)
		if err != nil {
			t.Fatal(err)
		}
		s.SetFault(f)
	}
	return s
}

var nine = scan.Setting{Baud: 9600, Parity: "none", DataBits: 8, StopBits: 1}

// aBus is a simulated line on a pty; it is silent at any setting but the right one.
func aBus(t *testing.T, opts simulator.Options, right scan.Setting, slaves ...*simulator.Slave) (string, func(context.Context, scan.Setting) (scan.Conn, error)) {
	t.Helper()
	open := func(opts simulator.Options, slaves ...*simulator.Slave) string {
		tty, err := simulator.OpenPTY("")
		if err != nil {
			t.Fatal(err)
		}
		b, err := simulator.NewLine(tty, opts, slaves...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		return tty.Path()
	}
	opts.Wire = simulator.Wire{Baud: right.Baud, Turnaround: 5 * time.Millisecond}
	live, dead := open(opts, slaves...), open(simulator.Options{})
	return live, func(ctx context.Context, s scan.Setting) (scan.Conn, error) {
		path := dead
		if s == right {
			path = live
		}
		conn, err := line.OpenSerial(ctx, s.Serial(path))
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}

func target(id, address string, p profile.Profile) Target {
	return Target{ID: id, Protocol: sniff.ModbusRTU, Address: address, Model: &p, Timeout: 300 * time.Millisecond}
}

// has checks that there is a finding of the check and severity with the words.
func has(t *testing.T, all []Finding, check string, s Severity, words ...string) {
	t.Helper()
	for _, f := range all {
		ok := f.Check == check && f.Severity == s
		for _, w := range words {
			ok = ok && strings.Contains(f.Found+" "+f.Cure, w)
		}
		if ok {
			return
		}
	}
	t.Errorf("no %s %s with %q among\n%+v", s, check, words, all)
}

func ill(all []Finding) (n int) {
	for _, f := range all {
		if f.Severity == Wrong {
			n++
		}
	}
	return n
}

func TestAHealthyLine(t *testing.T) {
	p := model(t, "eastron-sdm120")
	port, open := aBus(t, simulator.Options{}, nine, slave(t, p, "1", ""), slave(t, p, "2", ""))
	all, err := Examine(t.Context(), Patient{Name: "l", Port: port, Setting: nine, Targets: []Target{target("a", "1", p), target("b", "2", p)}, Open: open})
	if err != nil || ill(all) > 0 {
		t.Fatalf("found %+v (%v), want nothing wrong", all, err)
	}
	has(t, all, "answers", Fine, "2 of 2")
}

func TestFaultsAreNamed(t *testing.T) {
	p := model(t, "eastron-sdm120")
	even := scan.Setting{Baud: 19200, Parity: "even", DataBits: 8, StopBits: 1}
	swapped, _ := inOrder(p, profile.CDAB)
	other := model(t, "tuf-2000")
	for _, test := range []struct {
		name   string
		opts   simulator.Options
		right  scan.Setting
		slaves []*simulator.Slave
		asked  profile.Profile
		check  string
		as     Severity
		words  []string
	}{
		{"one is off", simulator.Options{}, nine, []*simulator.Slave{slave(t, p, "1", "dead"), slave(t, p, "2", "")}, p, "answers", Wrong, []string{"while others on the line do"}},
		{"all are off", simulator.Options{}, nine, nil, p, "answers", Wrong, []string{"not one byte", "other way round"}},
		{"it is slow", simulator.Options{}, nine, []*simulator.Slave{slave(t, p, "1", "slow 500ms"), slave(t, p, "2", "")}, p, "turnaround", Wrong, []string{"timeout: 1."}},
		{"it refuses", simulator.Options{}, nine, []*simulator.Slave{slave(t, p, "1", "exception 2"), slave(t, p, "2", "")}, p, "exceptions", Wrong, []string{"illegal data address", "another model"}},
		{"the line echoes", simulator.Options{Faults: []simulator.Fault{{Kind: simulator.Echo}}}, nine, []*simulator.Slave{slave(t, p, "1", ""), slave(t, p, "2", "")}, p, "echo", Hint, []string{"echo: on"}},
		{"two on one address", simulator.Options{}, nine, []*simulator.Slave{slave(t, p, "1", "flip 60%"), slave(t, p, "2", "")}, p, "collision", Wrong, []string{"two devices", "own address"}},
		{"it answers twice", simulator.Options{}, nine, []*simulator.Slave{slave(t, p, "1", "duplicate"), slave(t, p, "2", "")}, p, "twice", Hint, []string{"come twice", "second converter"}},
		{"another setting", simulator.Options{}, even, []*simulator.Slave{slave(t, p, "1", "")}, p, "settings", Wrong, []string{"19200 8E1", "baud: 19200, parity: even"}},
		{"another order", simulator.Options{}, nine, []*simulator.Slave{slave(t, swapped, "1", ""), slave(t, p, "2", "")}, p, "order", Wrong, []string{"CDAB"}},
		{"another model", simulator.Options{}, nine, []*simulator.Slave{slave(t, other, "1", ""), slave(t, p, "2", "")}, p, "exceptions", Wrong, []string{"another model"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			port, open := aBus(t, test.opts, test.right, test.slaves...)
			targets := []Target{target("a", "1", test.asked)}
			if len(test.slaves) > 1 {
				targets = append(targets, target("b", "2", test.asked))
			}
			all, err := Examine(t.Context(), Patient{Name: "l", Port: port, Setting: nine, Targets: targets, Open: open})
			if err != nil {
				t.Fatal(err)
			}
			has(t, all, test.check, test.as, test.words...)
		})
	}
}

func TestTwoMetersAnswerToOneRequest(t *testing.T) {
	o := Observed{Target: Target{ID: "a", Address: "1", Timeout: time.Second}, Asked: 9, Clean: 9, Doubles: 3, Turnarounds: []time.Duration{30 * time.Millisecond}}
	has(t, Judge(Facts{Setting: nine}, []Observed{o}), "collision", Wrong, "3 of 9", "two devices")
	o.Doubles, o.Repeats = 0, 3
	has(t, Judge(Facts{Setting: nine}, []Observed{o}), "twice", Hint, "come twice", "3 of 9")
}

func TestAnotherMaster(t *testing.T) {
	has(t, Judge(Facts{Setting: nine, Unasked: sniff.Counters{Bytes: 80, Requests: 4}}, nil), "quiet", Wrong, "another master", "one master")
	has(t, Judge(Facts{Setting: nine, Unasked: sniff.Counters{Bytes: 8}}, nil), "quiet", Hint, "noise", "ground")
	has(t, Judge(Facts{Socket: true, Unasked: sniff.Counters{Bytes: 8}}, nil), "quiet", Hint, "of its own", "heartbeat")
}

func TestTheModeOfABox(t *testing.T) {
	p := model(t, "eastron-sdm120")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeRTUOverTCP(ln, simulator.Wire{}, slave(t, p, "1", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	aim := target("a", "1", p)
	aim.Protocol = sniff.ModbusTCP
	all, err := Examine(t.Context(), Patient{Name: "box", Protocol: sniff.ModbusTCP, Targets: []Target{aim}, Open: func(ctx context.Context, _ scan.Setting) (scan.Conn, error) {
		return line.DialTCP(ctx, line.TCP{Address: server.Addr()})
	}})
	if err != nil {
		t.Fatal(err)
	}
	has(t, all, "mode", Wrong, "transparent", "protocol: modbus-rtu")
}

func TestABoxThatPassesNothingOn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeRTUOverTCP(ln, simulator.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	all, err := Examine(t.Context(), Patient{
		Name: "box", Protocol: sniff.ModbusRTU, Targets: []Target{{Protocol: sniff.ModbusRTU, Address: "1", Timeout: 100 * time.Millisecond}},
		Open: func(ctx context.Context, _ scan.Setting) (scan.Conn, error) {
			return line.DialTCP(ctx, line.TCP{Address: server.Addr()})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	has(t, all, "answers", Wrong, "in either mode", "power it off and on")
}

func TestAPortThatDoesNotOpen(t *testing.T) {
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tty.Close(); err != nil {
			t.Error(err)
		}
	}()
	held, err := line.OpenSerial(t.Context(), nine.Serial(tty.Path()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() //nolint:errcheck // the test is over
	for _, test := range []struct {
		name, port string
		words      []string
	}{
		{"missing", "/dev/no-such-port", []string{"there is no /dev/no-such-port", "by-id"}},
		{"taken", tty.Path(), []string{"is in use", "two masters"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := Examine(t.Context(), Patient{Name: test.port, Port: test.port, Setting: nine, Open: func(ctx context.Context, s scan.Setting) (scan.Conn, error) {
				return line.OpenSerial(ctx, s.Serial(test.port))
			}})
			if err != nil {
				t.Fatal(err)
			}
			has(t, all, "port", Wrong, test.words...)
		})
	}
	has(t, []Finding{portFinding(Patient{Port: "/dev/ttyUSB0"}, fs.ErrPermission)}, "port", Wrong, "dialout")
}

func TestHolders(t *testing.T) {
	proc := t.TempDir()
	port := filepath.Join(proc, "ttyUSB0")
	for path, content := range map[string]string{"ttyUSB0": "", "4711/comm": "modpoll\n", "4712/comm": "cat\n"} {
		if err := os.MkdirAll(filepath.Join(proc, filepath.Dir(path), "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	real, err := filepath.EvalSymlinks(port)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, filepath.Join(proc, "4711/fd/3")); err != nil {
		t.Fatal(err)
	}
	got := Holders(proc, port)
	if len(got) != 1 || got[0] != (Holder{4711, "modpoll"}) || by(got) != " by modpoll (process 4711)" {
		t.Errorf("held by %+v", got)
	}
}
