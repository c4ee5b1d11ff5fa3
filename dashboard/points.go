package dashboard

import (
	"time"

	"gengfu/facility"
)

// takeReadings keeps the readings until the points are sent. Readings that come
// late, from a journal, do not replace newer ones. While nobody looks it keeps no
// more than when the devices were there: who comes first finds what is known then.
func (h *hub) takeReadings(st *state, readings []facility.Reading) (changed bool) {
	if len(st.clients) == 0 {
		h.seen.note(readings...)
		st.asleep = true
		return false
	}
	devices := map[string]bool{}
	for _, r := range readings {
		point := h.estate.points[r.Point]
		last, seen := st.values[r.Point]
		if point == nil || seen && r.Time.Before(last.Time) {
			continue
		}
		st.values[r.Point], st.pending[r.Point] = r, r
		st.urgent = st.urgent || point.Kind.Stream() == facility.Urgent && (r.Value != last.Value || r.Quality != last.Quality)
		h.seen.note(r)
		devices[r.Point.Device] = true
		changed = true
	}
	now := h.now()
	for id := range devices {
		h.sendReach(st, h.estate.devices[id], now)
	}
	return changed
}

// sendReach tells when a device went away or came back.
func (h *hub) sendReach(st *state, d *facility.Device, now time.Time) {
	before, after := st.reach[d.ID], h.seen.fill(d.ID, reach(d, st.values, now))
	st.reach[d.ID] = after
	if known(before) != known(after) || before.Reason != after.Reason {
		st.spread(frame("device", deviceEventShape{ID: d.ID, reachShape: after}), facility.SeeEstate)
	}
}

// known tells the three states of being online apart.
func known(r reachShape) string {
	switch {
	case r.Online == nil:
		return "unknown"
	case *r.Online:
		return "online"
	}
	return "offline"
}

// hurry sends the points now when a state or an alarm bit has changed, and rests
// after it, so that a backlog is not told one by one.
func (h *hub) hurry(st *state, rest *time.Timer) {
	if !st.urgent || !st.rested {
		return
	}
	h.flush(st)
	st.rested = false
	rest.Reset(changesEvery)
}

func (h *hub) flush(st *state) {
	st.urgent = false
	if len(st.pending) == 0 {
		return
	}
	shape := pointsEventShape{Points: make([]readingShape, 0, len(st.pending))}
	for _, r := range st.pending {
		point := readingShape{ID: r.Point, Quality: r.Quality, Reason: r.Reason, Time: r.Time.UTC()}
		if r.Quality != facility.Bad {
			point.Value = &r.Value
		}
		shape.Points = append(shape.Points, point)
	}
	clear(st.pending)
	st.spread(frame("points", shape), facility.SeeEstate)
}
