package simulator_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/line/linetest"
	"gengfu/devices/simulator"
)

func parsed(t testing.TB, s string) []simulator.Fault {
	t.Helper()
	f, err := simulator.ParseFaults(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseFaults(t *testing.T) {
	for in, want := range map[string]simulator.Fault{
		"late 600ms 5%":    {Kind: simulator.Slow, Delay: 600 * time.Millisecond, Rate: 0.05},
		"late 600ms":       {Kind: simulator.Slow, Delay: 600 * time.Millisecond, Times: 1},
		"slow 300ms":       {Kind: simulator.Slow, Delay: 300 * time.Millisecond},
		"dead":             {Kind: simulator.Silent},
		"exception 2 0.5%": {Kind: simulator.Exception, Code: 2, Rate: 0.005},
		" corrupt  1% ":    {Kind: simulator.Corrupt, Rate: 0.01},
		"heartbeat 10s":    {Kind: simulator.Heartbeat, Delay: 10 * time.Second},
		"echo":             {Kind: simulator.Echo},
	} {
		got, err := simulator.ParseFault(in)
		if err != nil || got != want {
			t.Errorf("%q is %+v (%v), want %+v", in, got, err, want)
		}
		if again, err := simulator.ParseFault(got.String()); err != nil || again != want {
			t.Errorf("%q is written %q and read %+v (%v)", in, got, again, err)
		}
	}
	for _, in := range []string{"late", "late 5%", "late -1s", "corrupt 0%", "corrupt 101%", "corrupt x%", "exception 2 3", "corrupt 1%,", "split", "heartbeat"} {
		if f, err := simulator.ParseFaults(in); err == nil {
			t.Errorf("%q is %+v", in, f)
		}
	}
	if f := parsed(t, "corrupt 1%, late 600ms 2%, none"); len(f) != 2 {
		t.Errorf("two faults and health are %+v", f)
	}
}

// conversation asks the same thing many times and returns all that came back.
func conversation(t *testing.T, seed uint64, faults string) string {
	var said strings.Builder
	s := newSlave(t, pump(), 11)
	s.SetFaults(parsed(t, faults)...)
	opts := simulator.Options{
		Wire: simulator.Wire{Baud: 9600, Turnaround: 5 * time.Millisecond}, Seed: seed, Faults: parsed(t, "noise 5%, late 20ms 5%"),
	}
	inBubble(t, opts, []*simulator.Slave{s}, func(_ *testing.T, _ *simulator.Bus, ask func([]byte) []byte) {
		for range 200 {
			said.Write(ask(frame(t, with(t, "0B 03 00 01 00 01"))))
			said.WriteByte('\n')
		}
	})
	return said.String()
}

// The same seed makes the same things go wrong at the same times.
func TestASeedRepeats(t *testing.T) {
	const faults = "late 300ms 10%, cut 10%, corrupt 10%, flip 10%, duplicate 10%, foreign 10%, silent 10%"
	first := conversation(t, 7, faults)
	if conversation(t, 7, faults) != first {
		t.Error("the same seed went another way")
	}
	if conversation(t, 8, faults) == first {
		t.Error("another seed went the same way")
	}
}

// A rate is the share of the requests.
func TestRate(t *testing.T) {
	spoilt := 0
	want := string(frame(t, with(t, "0B 03 02 01 90")))
	s := newSlave(t, pump(), 11)
	s.SetFault(simulator.Fault{Kind: simulator.Corrupt, Rate: 0.05})
	inBubble(t, simulator.Options{}, []*simulator.Slave{s}, func(_ *testing.T, _ *simulator.Bus, ask func([]byte) []byte) {
		for range 4000 {
			if string(ask(frame(t, with(t, "0B 03 00 01 00 01")))) != want {
				spoilt++
			}
		}
	})
	if spoilt < 140 || spoilt > 260 {
		t.Errorf("%d of 4000 replies were corrupt, want about 200", spoilt)
	}
}

// inBubble is a line in memory whose time only passes when all wait. ask returns
// everything that comes within a second.
func inBubble(t *testing.T, opts simulator.Options, slaves []*simulator.Slave, do func(t *testing.T, bus *simulator.Bus, ask func(request []byte) []byte)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		master, far := linetest.Pair()
		bus, err := simulator.NewLine(far, opts, slaves...)
		if err != nil {
			t.Fatal(err)
		}
		do(t, bus, func(request []byte) (all []byte) {
			if err := master.Write(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 256)
			for end := time.Now().Add(time.Second); ; {
				n, err := master.Read(t.Context(), buf, end)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return all
				}
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, buf[:n]...)
			}
		})
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFaultsOfTheWire(t *testing.T) {
	request := frame(t, with(t, "0B 03 00 01 00 01"))
	healthy := frame(t, with(t, "0B 03 02 01 90"))
	for _, c := range []struct {
		fault string
		holds func(got []byte) bool
	}{
		{"echo", func(got []byte) bool { return bytes.Equal(got, append(slices.Clone(request), healthy...)) }},
		{"duplicate", func(got []byte) bool { return bytes.Equal(got, append(slices.Clone(healthy), healthy...)) }},
		{"cut", func(got []byte) bool { return len(got) > 0 && len(got) < len(healthy) && bytes.HasPrefix(healthy, got) }},
		{"flip", func(got []byte) bool { return len(got) == len(healthy) && differing(got, healthy) == 1 }},
		{"noise", func(got []byte) bool { return len(got) > len(healthy) && bytes.Contains(got, healthy) }},
		{"dead", func(got []byte) bool { return len(got) == 0 }},
		{"drop", func(got []byte) bool { return len(got) < len(healthy) }},
	} {
		opts := simulator.Options{Wire: simulator.Wire{Baud: 9600}, Faults: parsed(t, c.fault), Seed: 3}
		inBubble(t, opts, []*simulator.Slave{newSlave(t, pump(), 11)}, func(t *testing.T, bus *simulator.Bus, ask func([]byte) []byte) {
			for range 3 {
				if got := ask(request); !c.holds(got) {
					t.Errorf("%s: it sent % X", c.fault, got)
				}
			}
			bus.SetFaults()
			if got := ask(request); !bytes.Equal(got, healthy) {
				t.Errorf("healthy after %s: it sent % X", c.fault, got)
			}
		})
	}
}

func differing(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// What a stranger says is whole and good, and never from a device of the line.
func TestForeignFramesAreGood(t *testing.T) {
	a, b := newSlave(t, pump(), 11), newSlave(t, pump(), 12)
	a.SetFault(simulator.Fault{Kind: simulator.Foreign})
	seen := map[int]bool{}
	inBubble(t, simulator.Options{}, []*simulator.Slave{a, b}, func(t *testing.T, _ *simulator.Bus, ask func([]byte) []byte) {
		for range 30 {
			got := ask(frame(t, with(t, "0B 03 00 01 00 01")))
			seen[len(got)] = true
			for len(got) > 0 {
				n := 7
				if len(got) == 22 { // another master's request is 8 bytes
					n = 8
				}
				if len(got) < n || with(t, hex.EncodeToString(got[:n-2])) != hex.EncodeToString(got[:n]) {
					t.Fatalf("a frame with a wrong check: % X", got)
				}
				if got[0] == 12 {
					t.Errorf("a stranger says to be a device of the line: % X", got)
				}
				got = got[n:]
			}
		}
	})
	if !seen[7] || !seen[14] || !seen[22] {
		t.Errorf("replies of %v bytes, want 7 (instead), 14 (before) and 22 (with its request)", seen)
	}
}

func TestASocketIsDropped(t *testing.T) {
	request := frame(t, with(t, "0B 03 00 01 00 01"))
	for name, serve := range map[string]func(net.Listener, simulator.Options, ...*simulator.Slave) (*simulator.Server, error){
		"transparent": simulator.ServeLine, "gateway": simulator.ServeModbusTCP,
	} {
		ask := request
		if name == "gateway" {
			ask = frame(t, "0001 0000 0006 0B 03 0001 0001")
		}
		s := newSlave(t, pump(), 11)
		server, err := serve(listen(t), simulator.Options{Faults: parsed(t, "drop")}, s)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a new connection is accepted
			c, err := net.Dial("tcp", server.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(ask); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) || len(got) > 12 {
				t.Errorf("%s: % X and the connection stays (%v)", name, got, err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		master, far := linetest.Pair()
		bus, err := simulator.NewLine(far, simulator.Options{Faults: parsed(t, "heartbeat 10s")}, newSlave(t, pump(), 11))
		if err != nil {
			t.Fatal(err)
		}
		start, buf := time.Now(), make([]byte, 64)
		for i := range 3 {
			n, err := master.Read(t.Context(), buf, start.Add(time.Hour))
			if err != nil || string(buf[:n]) != "www.usr.cn" || time.Since(start) != time.Duration(i+1)*10*time.Second {
				t.Errorf("%q after %v (%v)", buf[:n], time.Since(start), err)
			}
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}
