package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// sum is what was found.
type sum struct {
	kills, early                          int
	facts                                 uint64
	changes, alarms, orders, acknowledged int
	lost, doubled                         int
	wrong                                 []string // some of what was lost or doubled
}

func (s *sum) add(o sum) {
	s.kills += o.kills
	s.early += o.early
	s.facts += o.facts
	s.changes += o.changes
	s.alarms += o.alarms
	s.orders += o.orders
	s.acknowledged += o.acknowledged
	s.lost += o.lost
	s.doubled += o.doubled
	s.wrong = append(s.wrong, o.wrong...)
}

// compare notes what should be there so often and is so often.
func (s *sum) compare(what string, got, want int) {
	s.lost += max(0, want-got)
	s.doubled += max(0, got-want)
	if got != want && len(s.wrong) < 10 {
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %d, want %d", what, got, want))
	}
}

// change is one line of an alarm's history.
type change struct {
	alarm string
	at    time.Time
	event facility.AlarmEvent
	from  facility.AlarmState
	to    facility.AlarmState
}

// count holds what the hubs left against an engine that nobody killed.
func (w *world) count(ctx context.Context) (s sum, err error) {
	l, err := ledger.Open(ctx, filepath.Join(w.dir, "ledger.db"), ledger.Options{Site: estate().Site})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	kept, err := read(ctx, l)
	if err != nil {
		return s, err
	}
	s = sum{kills: w.kills, early: w.early, facts: w.facts, alarms: len(kept.alarms), orders: len(kept.orders), acknowledged: len(kept.acknowledged())}
	want, err := w.tell(kept.acknowledged())
	if err != nil {
		return s, err
	}
	s.compareChanges(w, kept, want)
	s.compareCounts(kept)
	for _, id := range w.acknowledged { // a person was told that it is done
		s.compare("acknowledgement of alarm "+id, kept.times(id, facility.AlarmAcknowledge), 1)
	}
	return s, w.countReadings(ctx, &s)
}

// kept is what is in a ledger.
type kept struct {
	alarms  map[string]facility.Alarm
	orders  []facility.Order
	changes []change
	told    map[string]time.Time // when people were told of a key first
}

func (k kept) acknowledged() []change {
	return slices.DeleteFunc(slices.Clone(k.changes), func(c change) bool { return c.event != facility.AlarmAcknowledge })
}

func (k kept) times(alarm string, event facility.AlarmEvent) (n int) {
	for _, c := range k.changes {
		if c.alarm == alarm && c.event == event {
			n++
		}
	}
	return n
}

func read(ctx context.Context, l *ledger.Ledger) (kept, error) {
	k := kept{alarms: map[string]facility.Alarm{}, told: map[string]time.Time{}}
	for page := (facility.Page{Limit: 1000}); ; {
		alarms, err := l.Alarms(ctx, facility.AlarmFilter{Page: page})
		if err != nil {
			return k, err
		}
		for _, a := range alarms {
			k.alarms[a.ID] = a
			events, err := l.AlarmEvents(ctx, a.ID)
			if err != nil {
				return k, err
			}
			for _, e := range events {
				k.changes = append(k.changes, change{a.ID, e.At.UTC(), e.Event, e.From, e.To})
			}
		}
		if len(alarms) < page.Limit {
			break
		}
		page.Before = alarms[len(alarms)-1].ID
	}
	slices.SortStableFunc(k.changes, func(a, b change) int { return a.at.Compare(b.at) })
	for page := (facility.Page{Limit: 1000}); ; {
		notices, err := l.Notices(ctx, page)
		if err != nil {
			return k, err
		}
		for _, n := range notices { // the newest first
			for _, a := range n.Alarms {
				k.told[a.Key] = n.At
			}
		}
		if len(notices) < page.Limit {
			break
		}
		page.Before = notices[len(notices)-1].ID
	}
	var err error
	k.orders, err = l.Orders(ctx, facility.OrderFilter{Page: facility.Page{Limit: 1000}})
	return k, err
}

// settle is how much later than readings the hub judges time, see package hub.
const settle = 500 * time.Millisecond

// tell has an engine judge the story from the beginning, with what people did where they
// did it.
func (w *world) tell(acknowledged []change) (want []change, err error) {
	e, err := engine()
	if err != nil {
		return nil, err
	}
	e.Listen(beginning)
	take := func(changes ...rules.Change) {
		for _, c := range changes {
			want = append(want, change{c.Alarm.ID, c.At, c.Event, c.From, c.Alarm.State})
		}
	}
	for n := uint64(1); n <= w.facts; n++ {
		take(e.Hear(moment(n-1).Add(-settle), readings(n)...)...)
		for ; len(acknowledged) > 0 && acknowledged[0].at.Equal(moment(n)); acknowledged = acknowledged[1:] {
			take(e.Advance(moment(n).Add(-settle))...)
			c, err := e.Acknowledge(acknowledged[0].alarm, guard.Login, "", moment(n))
			if err != nil {
				continue // it is in the ledger and cannot be: doubled
			}
			take(c)
		}
	}
	return want, nil
}

// compareChanges compares up to the last fact of each device: what time alone does
// behind it may or may not be found by then.
func (s *sum) compareChanges(w *world, k kept, want []change) {
	differ := map[change]int{}
	last := map[string]uint64{} // fact of each device
	for n := max(w.facts, lastFacts) - lastFacts + 1; n <= w.facts; n++ {
		last[about(n)] = n
	}
	known := func(c change) bool {
		a, ok := k.alarms[c.alarm]
		return !ok || !c.at.After(moment(last[a.Device]))
	}
	for _, c := range want {
		if known(c) {
			differ[c]++
			s.changes++
		}
	}
	for _, c := range k.changes {
		if known(c) {
			differ[c]--
		}
	}
	for c, n := range differ {
		s.compare(fmt.Sprintf("%s of alarm %s at %s", c.event, c.alarm, c.at.Format(time.TimeOnly)), -min(n, 0), max(n, 0))
	}
}

// compareCounts compares what alarms and orders say of themselves with the history.
func (s *sum) compareCounts(k kept) {
	for id, a := range k.alarms {
		s.compare("occurrences of alarm "+id, a.Count, k.times(id, facility.AlarmRaise)+k.times(id, facility.AlarmRecur))
	}
	counted, orders := map[string]int{}, map[string]int{}
	for _, o := range k.orders {
		counted[o.Key] += o.Count
		orders[o.Key]++
	}
	for key, times := range k.occurrences() {
		s.compare("occurrences on the order of "+key, counted[key], min(max(counted[key], k.ordered(key, times)), len(times)))
		s.compare("orders of "+key, orders[key], min(counted[key], 1)) // nobody ends one
	}
}

// occurrences are when each key was raised, by the history.
func (k kept) occurrences() map[string][]time.Time {
	out := map[string][]time.Time{}
	for _, c := range k.changes {
		if c.event == facility.AlarmRaise || c.event == facility.AlarmRecur {
			key := k.alarms[c.alarm].Key
			out[key] = append(out[key], c.at)
		}
	}
	return out
}

// ordered is the least that the order of a key is to have counted. It is made when people
// are told, and what came until then is one to them, or more where several were judged in
// one step; whatever comes after is counted. The most is all.
func (k kept) ordered(key string, times []time.Time) (least int) {
	made, ok := k.told[key]
	if !ok {
		return 0
	}
	for _, o := range k.orders {
		if o.Key == key && o.CreatedAt.After(made) {
			made = o.CreatedAt
		}
	}
	for _, t := range times {
		if t.After(made) {
			least++
		}
	}
	return max(least, 1)
}

func (w *world) countReadings(ctx context.Context, s *sum) (err error) {
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(w.dir, "history.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all := 0
	for _, d := range estate().Devices {
		for _, p := range d.Points {
			rs, err := store.Readings(ctx, p, d.Kind, beginning, moment(w.facts+1))
			if err != nil {
				return err
			}
			all += len(rs)
		}
	}
	want := 0
	for n := uint64(1); n <= w.facts; n++ {
		want += len(readings(n))
	}
	s.compare("readings in the history", all, want)
	return nil
}
