package demo

import (
	"iter"
	"time"

	"gengfu/devices/profile"
	"gengfu/facility"
)

const (
	warmUp   = 30 * 24 * time.Hour // the model runs this long before the estate is shown
	pastStep = 10 * time.Minute
)

// genesis is where the model begins for an estate that is shown at a time: a
// local midnight, so that all of one day share one past.
func (m Model) genesis(at time.Time) time.Time {
	local := at.In(m.Zone)
	return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, m.Zone).Add(-warmUp).UTC()
}

// run walks the model from genesis to a time and hands over the state at every
// step, and at last the state at that time. Steps lie on a fixed grid, so that
// two runs to different times of one day are the same as far as they go.
func (m Model) run(genesis, until time.Time, visit func(State) bool) State {
	s := m.Begin(genesis)
	for next := genesis.Add(pastStep); next.Before(until); next = next.Add(pastStep) {
		s = m.Step(s, next.Sub(s.At), Controls{})
		if !visit(s) {
			return s
		}
	}
	return m.Step(s, until.Sub(s.At), Controls{})
}

// at returns the estate at a time.
func (m Model) at(t time.Time) State {
	return m.run(m.genesis(t), t, func(State) bool { return true })
}

// History returns the readings of the last days, at most 30, every ten minutes: a
// batch for each time, oldest first. It ends where an estate that is started
// afresh at until begins, so that meters go on where the history leaves them.
// Only what belongs into charts is in it: measures, counters and running states.
func History(days int, until time.Time) (iter.Seq[[]facility.Reading], error) {
	s, err := loadSite()
	if err != nil {
		return nil, err
	}
	return s.history(days, until), nil
}

func (s *site) history(days int, until time.Time) iter.Seq[[]facility.Reading] {
	m := s.model()
	points := s.charted()
	from := until.AddDate(0, 0, -days)
	return func(yield func([]facility.Reading) bool) {
		m.run(m.genesis(until), until, func(st State) bool {
			if st.At.Before(from) {
				return true
			}
			return yield(readings(points, st))
		})
	}
}

// charted are the points that belong into charts.
func (s *site) charted() map[facility.PointID]profile.Point {
	out := make(map[facility.PointID]profile.Point)
	for _, d := range s.Devices {
		for _, pt := range s.profiles[d.Profile].Points {
			if pt.Kind == facility.Measure || pt.Kind == facility.Counter || pt.ID == "running" {
				out[facility.PointID{Device: d.ID, Quantity: pt.ID}] = pt
			}
		}
	}
	return out
}

// readings are what the gateway would have read: the values as the registers hold
// them.
func readings(points map[facility.PointID]profile.Point, s State) []facility.Reading {
	out := make([]facility.Reading, 0, len(points))
	at := s.At.UTC()
	var words [4]uint16
	show(s, Controls{}, func(device, quantity string, value float64) {
		id := facility.PointID{Device: device, Quantity: quantity}
		pt, ok := points[id]
		if !ok {
			return
		}
		w := words[:pt.Words()]
		clear(w)
		if err := pt.Put(w, value); err != nil {
			return // a value that the device cannot show is none
		}
		if v, q, reason := pt.Decode(w); q == facility.Good {
			out = append(out, facility.Reading{Point: id, Time: at, Value: v, Unit: pt.Unit, Quality: q, Reason: reason})
		}
	})
	return out
}
