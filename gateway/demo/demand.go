package demo

import (
	"math"
	"time"
)

// Shares of the mean demand by hour of the local day: a morning and an evening
// peak, later and flatter at the weekend.
var (
	weekday = [24]float64{0.35, 0.2, 0.14, 0.12, 0.15, 0.4, 1.3, 2.1, 1.6, 1.0, 0.85, 1.0, 1.25, 0.9, 0.75, 0.8, 1.0, 1.4, 1.9, 2.1, 2.0, 1.6, 1.1, 0.6}
	weekend = [24]float64{0.5, 0.3, 0.18, 0.13, 0.14, 0.25, 0.6, 1.2, 1.7, 1.8, 1.6, 1.5, 1.5, 1.2, 1.0, 1.0, 1.2, 1.5, 1.8, 2.0, 2.0, 1.7, 1.3, 0.8}
)

// Mean demand of the buildings in m3/h: some 400 households of 0.4 m3 a day.
const (
	meanA = 3.7
	meanB = 3.0
)

// demand is what the households would take at the setpoint's pressure, m3/h.
type demand struct{ a, b float64 }

func (m Model) demand(at time.Time) demand {
	share := m.share(at)
	return demand{
		a: meanA * share * m.unrest(1, at),
		b: meanB * share * m.unrest(2, at),
	}
}

// factor is the estate's appetite: flow = factor * sqrt(pressure in bar).
func (d demand) factor(c Controls) float64 {
	q := d.a + d.b
	for p, burst := range c.Burst {
		if burst {
			q += burstFlow[p]
		}
	}
	return q / math.Sqrt(setpoint)
}

// share returns the demand of the hour relative to the mean of the day.
func (m Model) share(at time.Time) float64 {
	local := at.In(m.Zone)
	hours := weekday
	if d := local.Weekday(); d == time.Saturday || d == time.Sunday {
		hours = weekend
	}
	h := local.Hour()
	return blend(hours[h], hours[(h+1)%24], (float64(local.Minute())+float64(local.Second())/60)/60)
}

// unrest is the coming and going of taps and showers around 1.
func (m Model) unrest(channel uint64, at time.Time) float64 {
	return max(0.15, 1+0.22*m.noise(channel, at, 3*time.Minute)+0.15*m.noise(channel+100, at, 35*time.Minute))
}

// electricity sets the loads: lamps after dark, garage, lifts with the
// households, charging cars in the evening, and the pumps.
func (m Model) electricity(s *State) {
	local := s.At.In(m.Zone)
	hour := float64(local.Hour()) + float64(local.Minute())/60
	s.streetLighting = 9 * dark(hour)
	lifts := 3.2 * s.household * (1 + 0.4*m.noise(10, s.At, 90*time.Second))
	cars := 7 * (1 + math.Cos((hour-22)/24*2*math.Pi)) * max(0, 0.7+0.5*m.noise(11, s.At, 25*time.Minute))
	s.Mains = 50 + 0.03*m.noise(12, s.At, time.Minute)

	pumps := s.pumpPower + 0.45 // the room's light and controls
	rest := 4.2 + s.streetLighting + lifts + cars
	m.supply(&s.PumpRoom, s, 20, pumps, [3]float64{1. / 3, 1. / 3, 1. / 3})
	m.supply(&s.Estate, s, 30, pumps+rest, [3]float64{0.36, 0.3, 0.34})
}

// dark is 1 at night and 0 by day, with half an hour of dusk.
func dark(hour float64) float64 {
	dawn := math.Min(1, math.Max(0, (6.5-hour)/0.5))
	dusk := math.Min(1, math.Max(0, (hour-18)/0.5))
	return math.Max(dawn, dusk)
}

func (m Model) supply(v *Supply, s *State, channel uint64, power float64, shares [3]float64) {
	v.Power = 0
	for i := range v.Phases {
		n := uint64(i)
		v.Phases[i] = power * shares[i] * (1 + 0.04*m.noise(channel+n, s.At, 2*time.Minute))
		v.Voltages[i] = mainsVoltage - 0.08*power + 1.6*m.noise(40+n, s.At, 20*time.Minute) + 0.5*m.noise(50+n, s.At, 40*time.Second)
		v.Currents[i] = v.Phases[i] * 1000 / (v.Voltages[i] * powerFactor)
		v.Power += v.Phases[i]
	}
}

const powerFactor = 0.93

// noise is a smooth curve in -1 to 1 with turns about every period. It depends on
// the time alone, so that any step width walks the same curve.
func (m Model) noise(channel uint64, at time.Time, period time.Duration) float64 {
	n := at.UnixNano()
	cell := n / int64(period)
	t := float64(n%int64(period)) / float64(period)
	return blend(m.random(channel, cell), m.random(channel, cell+1), t)
}

// blend goes from a to b without a corner at either end.
func blend(a, b, t float64) float64 {
	t = t * t * (3 - 2*t)
	return a + (b-a)*t
}

// random is a number in -1 to 1 for a place on a channel (SplitMix64).
func (m Model) random(channel uint64, place int64) float64 {
	x := m.Seed ^ channel*0x9E3779B97F4A7C15 ^ uint64(place)*0xD1B54A32D192ED03
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	x ^= x >> 31
	return float64(x>>11)/(1<<52) - 1
}
