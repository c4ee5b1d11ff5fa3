package scan

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// own is an address of a meter of each language.
func own(l profile.Protocol) string {
	return map[profile.Protocol]string{profile.DLT645: "000000000161", profile.CJT188: "78330011223344", profile.MBus: "7"}[l]
}

func TestMetersAreNamed(t *testing.T) {
	t.Parallel()
	all := builtIn(t)
	even := Setting{Baud: 9600, Parity: "even", DataBits: 8, StopBits: 1}
	meters := 0
	wrong := make(chan string, len(all))
	t.Run("each", func(t *testing.T) {
		for _, p := range all {
			if p.Language() == profile.Modbus {
				continue
			}
			meters++
			t.Run(p.ID, func(t *testing.T) {
				t.Parallel()
				s := Sweep{
					Options:  Options{Bauds: []int{9600}, Framings: []string{"8E1"}, Protocols: []sniff.Protocol{protocolOf(p.Language())}},
					Profiles: all, Open: onPTY(t, even, slave(t, p, own(p.Language()))),
				}
				found, err := s.Run(t.Context())
				if err != nil || len(found) != 1 || found[0].Address != own(p.Language()) {
					t.Fatalf("found %+v (%v), want the meter %s", found, err, own(p.Language()))
				}
				got := found[0].Candidates
				if len(got) == 0 || got[0].Profile != p.ID {
					wrong <- p.ID
					t.Logf("%s was taken for %+v", p.ID, got[:min(3, len(got))])
				}
			})
		}
	})
	close(wrong)
	var names []string
	for n := range wrong {
		names = append(names, n)
	}
	t.Logf("%d of %d meters named; not %s", meters-len(names), meters, strings.Join(names, ", "))
	if len(names) > 1 { // the bits by which cjt188-water-high-bits differs are 0 at rest
		t.Errorf("%d of %d meters are not named: %v", len(names), meters, names)
	}
}

// untilTwo ends the sweep when two are found: what is left would find nobody.
func untilTwo(t *testing.T, s *Sweep) []Device {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n := 0
	s.Found = func(Device) {
		if n++; n == 2 {
			cancel()
		}
	}
	found, err := s.Run(ctx)
	if len(found) != 2 || !errors.Is(err, context.Canceled) {
		t.Fatalf("found %+v (%v), want two meters", found, err)
	}
	return found
}

func TestMetersThatCollideAreFound(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "dlt645-2007", "dlt645-2007-three-phase")
	even := Setting{Baud: 9600, Parity: "even", DataBits: 8, StopBits: 1}
	s := Sweep{
		Options:  Options{Bauds: []int{9600}, Framings: []string{"8E1"}, Protocols: []sniff.Protocol{sniff.DLT645}},
		Profiles: all, Open: onPTY(t, even, slave(t, chosen[0], "000000000102"), slave(t, chosen[1], "220241020208")),
	}
	found := untilTwo(t, &s)
	for _, d := range found {
		want := map[string]string{"000000000102": "dlt645-2007", "220241020208": "dlt645-2007-three-phase"}[d.Address]
		if len(d.Candidates) == 0 || d.Candidates[0].Profile != want {
			t.Errorf("meter %s is named %+v", d.Address, d.Candidates)
		}
	}
}

func TestMBusMetersThatCollideAreFound(t *testing.T) {
	t.Parallel()
	all, chosen := models(t, "mbus-water", "mbus-heat")
	even := Setting{Baud: 2400, Parity: "even", DataBits: 8, StopBits: 1}
	s := Sweep{
		Options:  Options{Bauds: []int{2400}, Framings: []string{"8E1"}, Protocols: []sniff.Protocol{sniff.MBus}},
		Profiles: all, Open: onPTY(t, even, slave(t, chosen[0], "00345678"), slave(t, chosen[1], "00399999")),
	}
	untilTwo(t, &s)
}
