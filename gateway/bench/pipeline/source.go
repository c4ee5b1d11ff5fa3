package main

import (
	"math"
	"math/rand/v2"
	"time"

	"gengfu/facility"
	"gengfu/gateway/config"
)

// source makes the readings of an estate's meters: each is read every so often, all
// its points at one time, some milliseconds late; each value is a register that
// moves a little.
type source struct {
	meters []meter
	period time.Duration
	chance *rand.Rand
	next   int // the meter that is read next
	round  time.Time
}

type meter struct {
	points []facility.Point
	values []float64 // in hundredths
}

// newSource reads the samples of all devices, beginning at the given time.
func newSource(cfg *config.Config, begin time.Time, period time.Duration) *source {
	s := &source{period: period, chance: rand.New(rand.NewPCG(1, 2)), round: begin} //nolint:gosec // it must be repeatable
	for i, d := range cfg.Estate.Devices {
		var m meter
		for j, p := range d.Points {
			if p.Kind.Stream() == facility.Telemetry {
				m.points = append(m.points, p)
				m.values = append(m.values, float64(20_000+1000*i+100*j))
			}
		}
		if len(m.points) > 0 {
			s.meters = append(s.meters, m)
		}
	}
	return s
}

// points is how many there are.
func (s *source) points() (n int) {
	for _, m := range s.meters {
		n += len(m.points)
	}
	return n
}

// read returns what the next meter says. Between two meters lies their share of the
// period.
func (s *source) read() []facility.Reading {
	m := &s.meters[s.next]
	share := s.period / time.Duration(len(s.meters))
	at := s.round.Add(time.Duration(s.next) * share).Add(time.Duration(s.chance.IntN(5)) * time.Millisecond)
	if s.next++; s.next == len(s.meters) {
		s.next, s.round = 0, s.round.Add(s.period)
	}
	readings := make([]facility.Reading, len(m.points))
	for i, p := range m.points {
		if p.Kind == facility.Counter {
			m.values[i] += float64(s.chance.IntN(3))
		} else {
			m.values[i] += float64(s.chance.IntN(21) - 10)
		}
		readings[i] = facility.Reading{Point: p.ID, Time: at, Value: math.Round(m.values[i]) / 100, Unit: p.Unit, Quality: facility.Good}
	}
	return readings
}
