package scan

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/devices/sniff"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onPTY is a simulated line and what opens it. A pty has no baud rate: the line says
// nothing unless the setting is the one given.
func onPTY(t *testing.T, right Setting, slaves ...*simulator.Slave) func(context.Context, Setting) (Conn, error) {
	t.Helper()
	open := func(wire simulator.Wire, slaves ...*simulator.Slave) string {
		tty, err := simulator.OpenPTY("")
		if err != nil {
			t.Fatal(err)
		}
		bus, err := simulator.NewBus(tty, wire, slaves...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := bus.Close(); err != nil {
				t.Error(err)
			}
		})
		return tty.Path()
	}
	bits := 10
	if right.Parity != "none" {
		bits = 11
	}
	live := open(simulator.Wire{Baud: right.Baud, Bits: bits, Turnaround: 8 * time.Millisecond}, slaves...)
	dead := open(simulator.Wire{})
	return func(ctx context.Context, s Setting) (Conn, error) {
		if s == right {
			return line.OpenSerial(ctx, s.Serial(live))
		}
		return line.OpenSerial(ctx, s.Serial(dead))
	}
}

func models(t *testing.T, ids ...string) (all []profile.Profile, chosen []profile.Profile) {
	t.Helper()
	all = builtIn(t)
	for _, id := range ids {
		for _, p := range all {
			if p.ID == id {
				chosen = append(chosen, p)
			}
		}
	}
	if len(chosen) != len(ids) {
		t.Fatalf("only %d of the models %v are there", len(chosen), ids)
	}
	return all, chosen
}

func slave(t *testing.T, p profile.Profile, address string) *simulator.Slave {
	t.Helper()
	s, err := simulator.New(p, address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABusOfEightPersonas(t *testing.T) {
	t.Parallel()
	all, eight := models(t, "eastron-sdm120", "eastron-sdm630", "chint-dtsu666", "tuf-2000", "pump-controller",
		"invt-goodrive", "xintai-water-meter", "digital-input-8")
	addresses := []string{"1", "2", "5", "17", "33", "100", "201", "247"}
	var slaves []*simulator.Slave
	want := map[string]string{}
	for i, p := range eight {
		slaves = append(slaves, slave(t, p, addresses[i]))
		want[addresses[i]] = p.ID
	}
	nine := Setting{Baud: 9600, Parity: "none", DataBits: 8, StopBits: 1}
	s := Sweep{
		Options:  Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}},
		Profiles: all, Open: onPTY(t, nine, slaves...),
	}
	begun := time.Now()
	found, err := s.Run(t.Context())
	took := time.Since(begun)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, d := range found {
		best := ""
		if len(d.Candidates) > 0 {
			best = d.Candidates[0].Profile
		}
		if want[d.Address] == best {
			named++
		} else {
			t.Logf("address %s is %s and was taken for %q: %+v", d.Address, want[d.Address], best, d.Candidates)
		}
	}
	t.Logf("%d of %d found, %d named, in %v", len(found), len(want), named, took.Round(100*time.Millisecond))
	if len(found) != len(want) || named < len(want) || took > 60*time.Second {
		t.Errorf("%d found, %d named in %v; want all 8 within a minute", len(found), named, took)
	}
}

func TestTheSettingIsFound(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "eastron-sdm120")
	even := Setting{Baud: 19200, Parity: "even", DataBits: 8, StopBits: 1}
	var seen []Progress
	s := Sweep{
		Options:  Options{Bauds: []int{9600, 19200}, Framings: []string{"8N1", "8E1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{3, 4}},
		Profiles: all, Open: onPTY(t, even, slave(t, chosen[0], "4")),
		Progress: func(p Progress) { seen = append(seen, p) },
	}
	found, err := s.Run(t.Context())
	if err != nil || len(found) != 1 || found[0].Setting != even || found[0].Address != "4" {
		t.Fatalf("found %+v (%v), want address 4 at %v", found, err, even)
	}
	if len(seen) == 0 || seen[0].Left < 500*time.Millisecond || seen[len(seen)-1].Done != seen[len(seen)-1].Of {
		t.Errorf("progress %+v", seen)
	}
}

func TestASocketTellsHowItWantsModbus(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "eastron-sdm120")
	for _, test := range []struct {
		name  string
		serve func(net.Listener, *simulator.Slave) (*simulator.Server, error)
		want  sniff.Protocol
	}{
		{"gateway", func(l net.Listener, s *simulator.Slave) (*simulator.Server, error) { return simulator.ServeTCP(l, s) }, sniff.ModbusTCP},
		{"transparent", func(l net.Listener, s *simulator.Slave) (*simulator.Server, error) {
			return simulator.ServeRTUOverTCP(l, simulator.Wire{}, s)
		}, sniff.ModbusRTU},
	} {
		t.Run(test.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server, err := test.serve(ln, slave(t, chosen[0], "2"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := server.Close(); err != nil {
					t.Error(err)
				}
			}()
			s := Sweep{
				Options: Options{Socket: true, Addresses: []int{1, 2, 3}, Protocols: []sniff.Protocol{sniff.ModbusTCP, sniff.ModbusRTU}}, Profiles: all,
				Open: func(ctx context.Context, _ Setting) (Conn, error) {
					return line.DialTCP(ctx, line.TCP{Address: server.Addr()})
				},
			}
			found, err := s.Run(t.Context())
			if err != nil || len(found) != 1 || found[0].Protocol != test.want || found[0].Address != "2" {
				t.Fatalf("found %+v (%v), want address 2 by %s", found, err, test.want)
			}
			if len(found[0].Candidates) == 0 || found[0].Candidates[0].Profile != "eastron-sdm120" {
				t.Errorf("named %+v", found[0].Candidates)
			}
		})
	}
}

func TestASweepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s := Sweep{Open: onPTY(t, Setting{})}
	if _, err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
}

func TestWhoIsSlowIsFoundWhenAnotherIsAsked(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "eastron-sdm120")
	nine := Setting{Baud: 9600, Parity: "none", DataBits: 8, StopBits: 1}
	slow := slave(t, chosen[0], "5")
	slow.SetFault(simulator.Fault{Kind: simulator.Slow, Delay: 150 * time.Millisecond})
	s := Sweep{
		Options:  Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{4, 5, 6, 7}},
		Profiles: all, Open: onPTY(t, nine, slow),
	}
	found, err := s.Run(t.Context())
	if err != nil || len(found) != 1 || found[0].Address != "5" || found[0].Turnaround < 150*time.Millisecond {
		t.Fatalf("found %+v (%v), want the slow one at 5", found, err)
	}
	if c := found[0].Candidates; len(c) == 0 || c[0].Profile != "eastron-sdm120" {
		t.Errorf("named %+v", c)
	}
}

func TestWhatIsSpoiltIsSaid(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "eastron-sdm120")
	nine := Setting{Baud: 9600, Parity: "none", DataBits: 8, StopBits: 1}
	spoilt := slave(t, chosen[0], "5")
	spoilt.SetFault(simulator.Fault{Kind: simulator.Corrupt})
	s := Sweep{
		Options:  Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{4, 5, 6}},
		Profiles: all, Open: onPTY(t, nine, spoilt, slave(t, chosen[0], "6")),
	}
	found, err := s.Run(t.Context())
	if err != nil || len(found) != 2 || !found[0].Spoilt || found[0].Address != "5" || found[1].Spoilt || len(found[1].Candidates) == 0 {
		t.Fatalf("found %+v (%v), want 5 spoilt and 6 whole", found, err)
	}
}

// A line on which everything goes wrong now and then is scanned all the same.
func TestABadLineIsScanned(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "eastron-sdm120", "chint-dtsu666")
	nine := Setting{Baud: 9600, Parity: "none", DataBits: 8, StopBits: 1}
	var slaves []*simulator.Slave
	for i, p := range chosen {
		s := slave(t, p, []string{"2", "9"}[i])
		faults, err := simulator.ParseFaults("corrupt 3%, noise 3%, cut 3%, duplicate 3%")
		if err != nil {
			t.Fatal(err)
		}
		s.SetFaults(faults...)
		slaves = append(slaves, s)
	}
	s := Sweep{
		Options:  Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{1, 2, 3, 9, 10}},
		Profiles: all, Open: onPTY(t, nine, slaves...),
	}
	found, err := s.Run(t.Context())
	if err != nil || len(found) != 2 {
		t.Fatalf("found %+v (%v), want 2 and 9", found, err)
	}
	for i, d := range found {
		if len(d.Candidates) == 0 || d.Candidates[0].Profile != chosen[i].ID {
			t.Errorf("address %s is named %+v", d.Address, d.Candidates)
		}
	}
}
