package simulator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// A master that measures itself against the line must find the line exact: the last
// character of a reply comes when both frames and the silence between them have
// passed, not when a timer of the runtime happens to go off.
func TestRepliesComeOnTime(t *testing.T) {
	wire := simulator.Wire{Baud: 115200, Turnaround: 1750 * time.Microsecond}
	s := newSlave(t, profile.Profile{}, 1)
	s.SetWords(profile.Holding, 0, make([]uint16, 10)...)
	client := line(t, wire, s)
	request, reply := frame(t, with(t, "01 03 00 00 00 0A")), make([]byte, 25)
	due := wire.Characters(len(request)+len(reply)) + wire.Turnaround
	var off []time.Duration
	for range 40 {
		start := time.Now()
		if _, err := client.Write(request); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(reply); {
			k, err := client.Read(reply[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		off = append(off, time.Since(start)-due)
	}
	slices.Sort(off)
	// A machine that does other things makes replies late, but not all of them.
	t.Logf("off by %v to %v, %v at the median", off[0], off[len(off)-1], off[len(off)/2])
	if off[0] < -150*time.Microsecond || off[0] > 3*time.Millisecond {
		t.Errorf("off by %v at best", off[0])
	}
}

// What the master sends in pieces has come when the last of them has gone over the
// wire.
func TestARequestInPiecesTakesItsTime(t *testing.T) {
	wire := simulator.Wire{Baud: 2400, Bits: 11, Turnaround: 5 * time.Millisecond}
	client := line(t, wire, newSlave(t, pump(), 11))
	request := frame(t, with(t, "0B 03 00 01 00 01"))
	start := time.Now()
	for _, piece := range [][]byte{request[:3], request[3:]} {
		if _, err := client.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	reply := make([]byte, 7)
	for n := 0; n < len(reply); {
		k, err := client.Read(reply[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if took, least := time.Since(start), wire.Characters(8+7)+wire.Turnaround-time.Millisecond; took < least {
		t.Errorf("it took %v, on the wire %v", took, least)
	}
}

// A wire that is used is used: what several devices say to requests that overlap
// comes one after the other.
func TestRepliesDoNotOverlap(t *testing.T) {
	wire := simulator.Wire{Baud: 9600}
	a, b := newSlave(t, pump(), 11), newSlave(t, pump(), 12)
	client := line(t, wire, a, b)
	both := with(t, "0B 03 00 01 00 01") + with(t, "0C 03 00 01 00 01")
	got := exchange(t, client, both, 14)
	want := with(t, "0B 03 02 01 90") + with(t, "0C 03 02 01 90")
	other := with(t, "0C 03 02 01 90") + with(t, "0B 03 02 01 90")
	if !strings.EqualFold(got, want) && !strings.EqualFold(got, other) {
		t.Errorf("%s, want two whole replies", got)
	}
}
