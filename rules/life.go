package rules

import (
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// saveLife writes how an alarm stands; nil is fresh.
func saveLife(w *writer, s *lifecycle.State) {
	w.byte(byte(truthOf(s != nil)))
	if s == nil {
		return
	}
	w.string(string(s.Base))
	w.string(string(s.Priority))
	w.instant(instantOf(s.Told))
	w.string(string(s.ToldAs))
	w.byte(byte(truthOf(s.Untold)))
	for _, h := range []lifecycle.Hold{s.Shelf, s.Suppression, s.Outage} {
		w.instant(instantOf(h.Since))
		if !h.On() {
			continue
		}
		w.instant(instantOf(h.Until))
		w.byte(byte(truthOf(h.OneShot)))
		for _, text := range []string{h.By, h.Reason, h.Cause, h.Order} {
			w.string(text)
		}
	}
}

// readLife reads what saveLife wrote, as it was at the instant now.
func readLife(r *reader, now instant) *lifecycle.State {
	if Truth(r.byte()) != True {
		return nil
	}
	s := lifecycle.State{
		Base: facility.AlarmState(r.string()), Priority: facility.Priority(r.string()),
		Told: r.time(), ToldAs: facility.Priority(r.string()), Untold: Truth(r.byte()) == True,
	}
	for _, h := range []*lifecycle.Hold{&s.Shelf, &s.Suppression, &s.Outage} {
		since := r.time()
		if since.IsZero() {
			continue
		}
		*h = lifecycle.Hold{Since: since, Until: r.time(), OneShot: Truth(r.byte()) == True}
		for _, text := range []*string{&h.By, &h.Reason, &h.Cause, &h.Order} {
			*text = r.string()
		}
	}
	return r.trust(s, now)
}

// trust makes fit to go on with what was read.
func (r *reader) trust(s lifecycle.State, now instant) *lifecycle.State {
	s, err := lifecycle.Restore(s, now.time())
	if err != nil {
		r.fail(err.Error())
	}
	return &s
}

// lifeOf is how an alarm stands of which nothing is known but itself. People were told
// of it whenever it was raised.
func lifeOf(r *reader, a *facility.Alarm, now instant) *lifecycle.State {
	if a == nil {
		return nil
	}
	return r.trust(lifecycle.State{Base: a.State, Priority: a.Priority, Told: a.LastAt, ToldAs: a.Priority}, now)
}

// time reads a time that saveLife wrote; no time is the zero one.
func (r *reader) time() time.Time { return r.instant().time() }
