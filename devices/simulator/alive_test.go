package simulator_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/simulator"
	"gengfu/facility"
)

// lived returns what a meter shows after some minutes of life.
func lived(t *testing.T, seed uint64) map[string]float64 {
	s := meter(t, profiles(t)["dlt645-2007-three-phase"], "1")
	out := map[string]float64{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		simulator.Live(ctx, time.Second, seed, s)
	})
	for _, pt := range s.Profile().Points {
		v, err := s.Get(pt.ID)
		if err != nil {
			t.Fatal(err)
		}
		out[pt.ID] = v
	}
	return out
}

func TestLive(t *testing.T) {
	p := profiles(t)["dlt645-2007-three-phase"]
	first, again, other := lived(t, 1), lived(t, 1), lived(t, 2)
	moved, differ := 0, 0
	for _, pt := range p.Points {
		rest, now := p.Persona.Values[pt.ID], first[pt.ID]
		if now != again[pt.ID] {
			t.Errorf("%s is %v, and %v with the same seed", pt.ID, now, again[pt.ID])
		}
		if now != other[pt.ID] {
			differ++
		}
		switch {
		case rest == 0 || pt.Bit != nil || pt.Kind != facility.Measure && pt.Kind != facility.Counter:
			if now != rest {
				t.Errorf("%s went from %v to %v", pt.ID, rest, now)
			}
		case pt.Kind == facility.Counter:
			if grown := now - rest; grown <= 0 || grown > 600*3*math.Pow10(-pt.Decimals)+1e-6 {
				t.Errorf("%s has counted %v in ten minutes", pt.ID, grown)
			}
			moved++
		case math.Abs(now-rest) > math.Abs(rest)/20+resolution(pt, rest):
			t.Errorf("%s strays from %v to %v", pt.ID, rest, now)
		case now != rest:
			moved++
		}
	}
	if moved < 5 || differ == 0 {
		t.Errorf("%d values have moved, %d differ with another seed", moved, differ)
	}
}
