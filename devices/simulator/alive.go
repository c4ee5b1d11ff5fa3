package simulator

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// Live lets the values of the devices move until the context ends: once in every
// step a measure strays a little around what its persona shows, and a counter goes
// on. States and alarms stay as they are. The same seed moves them in the same way.
func Live(ctx context.Context, step time.Duration, seed uint64, slaves ...*Slave) {
	dice := make([]*rand.Rand, len(slaves))
	for i, s := range slaves {
		dice[i] = seeded(seed, "live "+s.address)
	}
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for i, s := range slaves {
				s.drift(dice[i])
			}
		}
	}
}

func (s *Slave) drift(dice *rand.Rand) {
	for _, pt := range s.profile.Points {
		rest := s.profile.Persona.Values[pt.ID]
		now, err := s.Get(pt.ID)
		if err != nil || rest == 0 || pt.Bit != nil || pt.Table.Bits() {
			continue
		}
		next := moved(pt, now, rest, dice)
		if s.Set(pt.ID, next) != nil {
			_ = s.Set(pt.ID, rest) // it has left what the device can show
		}
	}
}

// moved returns the next value of a point: a counter counts up to three of its last
// digit, a measure strays by half a percent, at most 5 % from its rest.
func moved(pt profile.Point, now, rest float64, dice *rand.Rand) float64 {
	digit := math.Pow10(-pt.Decimals)
	switch pt.Kind {
	case facility.Counter:
		return now + digit*float64(dice.IntN(4))
	case facility.Measure:
		stray := math.Abs(rest) / 20
		step := max(math.Abs(rest)/200, digit)
		return min(max(now+step*(2*dice.Float64()-1), rest-stray), rest+stray)
	}
	return now
}
