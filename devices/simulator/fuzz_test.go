package simulator_test

import (
	"testing"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
	"gengfu/devices/simulator"
)

// Whatever comes over a line of all protocols, its devices send whole frames or
// nothing. Only single bytes that acknowledge are shorter than a frame.
func FuzzLineOfAllProtocols(f *testing.F) {
	all := profiles(f)
	slaves := func(t testing.TB) []*simulator.Slave {
		return []*simulator.Slave{
			newSlave(t, pump(), 11), meter(t, all["dlt645-2007-three-phase"], "161"),
			meter(t, all["cjt188-heat"], "78330011223344"), meter(t, all["mbus-heat"], "5"),
		}
	}
	own, err := dlt645.ParseAddress("161")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(dlt645.Read(own, dlt645.DI{Code: 0x0201FF00}).Bytes())
	f.Add(dlt645.AskAddress().Bytes())
	f.Add(cjt188.Read(cjt188.Meter{Type: cjt188.AnyType, Address: cjt188.Any()}, cjt188.Current, 1).Bytes())
	f.Add(append(mbus.Initialise(5).Bytes(), mbus.Ask(5, true).Bytes()...))
	f.Add(append(mbus.Select(mbus.Secondary{0x05, 0, 0, 0x10, 0xFF, 0xFF, 0xFF, 0xFF}).Bytes(), mbus.Ask(mbus.Selected, true).Bytes()...))
	f.Add(frame(f, with(f, "0B 03 00 01 00 01")))
	f.Fuzz(func(t *testing.T, in []byte) {
		inBubble(t, simulator.Options{}, slaves(t), func(t *testing.T, _ *simulator.Bus, tell func([]byte) []byte) {
			if said := tell(in); len(said) > 0 && !understood(said) {
				t.Errorf("% X was answered with % X", in, said)
			}
		})
	})
}

// understood reports whether there is a frame of some protocol in it.
func understood(said []byte) bool {
	if len(dlt645.NewReader().Feed(said)) > 0 || len(cjt188.NewReader().Feed(said)) > 0 || len(mbus.NewReader().Feed(said)) > 0 {
		return true
	}
	return len(said) >= 5 && said[0] == 11
}

func FuzzParseFaults(f *testing.F) {
	for _, s := range []string{"late 600ms 5%", "corrupt 1%, exception 2", "none", "heartbeat 10s", "slow", "%", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		faults, err := simulator.ParseFaults(s)
		if err != nil {
			return
		}
		for _, one := range faults {
			if one.Rate < 0 || one.Rate > 1 || one.Delay < 0 {
				t.Errorf("%q is %+v", s, one)
			}
			if _, err := simulator.ParseFault(one.String()); err != nil {
				t.Errorf("%q is written %q: %v", s, one, err)
			}
		}
	})
}
