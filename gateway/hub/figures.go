package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules/discipline"
	"gengfu/storage/ledger"
)

// lookBack is how long before a period the figures look, so that a flood or a spell of
// chattering that was under way as it began is known for one, though it lasts for hours.
const lookBack = 24 * time.Hour

// AlarmFigures measures the alarms of [from, to), until now at most, and of that what
// lies behind the first that is known of the house: a month of which a day is known is
// not a calm month. It fails with facility.ErrInvalid when nothing of that is past.
func (h *Hub) AlarmFigures(ctx context.Context, from, to time.Time) (dashboard.AlarmFigures, error) {
	now := h.o.Now()
	if to.After(now) {
		to = now
	}
	begun, err := h.o.Ledger.Begun(ctx)
	if err != nil {
		return dashboard.AlarmFigures{}, fmt.Errorf("measure the alarms: %w", err)
	}
	from = known(from, to, begun)
	lines, err := h.o.Ledger.AlarmLines(ctx, from.Add(-lookBack), now)
	if err != nil {
		return dashboard.AlarmFigures{}, fmt.Errorf("measure the alarms: %w", err)
	}
	duty := max(h.o.Discipline.Duty, 1)
	records, last := recordsOf(lines)
	f, err := discipline.Measure(records, from, to, duty)
	if err != nil {
		return dashboard.AlarmFigures{}, fmt.Errorf("measure the alarms: %w", err)
	}
	present := discipline.Look(records, now, duty)
	alarms, err := h.lastAlarms(ctx, last, f, present)
	if err != nil {
		return dashboard.AlarmFigures{}, fmt.Errorf("measure the alarms: %w", err)
	}
	return shownFigures(f, present, duty, alarms), nil
}

// known is where the period begins of which something is known. It is not made shorter
// than what a rate is measured by.
func known(from, to, begun time.Time) time.Time {
	if least := to.Add(-discipline.FloodWindow); begun.After(least) {
		begun = least
	}
	if begun.After(from) {
		return begun
	}
	return from
}

// lastAlarms reads the last alarm of each key that the figures name.
func (h *Hub) lastAlarms(ctx context.Context, last map[string]string, f discipline.Figures, p discipline.Present) (map[string]facility.Alarm, error) {
	keys := slices.Clone(p.Stale)
	for _, s := range f.Sources {
		keys = append(keys, s.Key)
	}
	for _, c := range p.Chattering {
		keys = append(keys, c.Key)
	}
	out := map[string]facility.Alarm{}
	for _, key := range keys {
		a, err := h.o.Ledger.Alarm(ctx, last[key])
		if err != nil {
			return nil, fmt.Errorf("the last alarm of %s: %w", key, err)
		}
		out[key] = a
	}
	return out, nil
}

// recordsOf turns lines of the histories into what is measured, and finds the last alarm
// of each key.
func recordsOf(lines []ledger.AlarmLine) (records []discipline.Record, last map[string]string) {
	last = map[string]string{}
	state := map[string]facility.AlarmState{}
	held := map[string]map[facility.AlarmEvent]bool{} // by what began the hold
	for _, l := range lines {
		if l.Alarm != "" {
			last[l.Key] = l.Alarm
		}
		if l.To != "" {
			state[l.Key] = l.To
		}
		hold(held, l)
		r := discipline.Record{
			At: l.At, Key: l.Key, Event: l.Event, To: state[l.Key], Priority: l.Priority,
			Held: len(held[l.Key]) > 0, Told: l.Told,
		}
		if r.Event == facility.AlarmRecur { // the word of the history for a raise of what stood
			r.Event = facility.AlarmRaise
		}
		records = append(records, r)
	}
	return records, last
}

// hold takes note of what holds a key after the line.
func hold(held map[string]map[facility.AlarmEvent]bool, l ledger.AlarmLine) {
	switch l.Event {
	case facility.AlarmShelve, facility.AlarmSuppress, facility.AlarmTakeOut:
		if held[l.Key] == nil {
			held[l.Key] = map[facility.AlarmEvent]bool{}
		}
		held[l.Key][l.Event] = true
	case facility.AlarmUnshelve:
		delete(held[l.Key], facility.AlarmShelve)
	case facility.AlarmUnsuppress:
		delete(held[l.Key], facility.AlarmSuppress)
	case facility.AlarmPutBack:
		delete(held[l.Key], facility.AlarmTakeOut)
	}
}

func shownFigures(f discipline.Figures, now discipline.Present, duty int, alarms map[string]facility.Alarm) dashboard.AlarmFigures {
	figure := func(f discipline.Figure) dashboard.AlarmFigure {
		return dashboard.AlarmFigure{Value: f.Value, Limit: f.Limit, Within: f.Met, Source: f.Source}
	}
	shown := dashboard.AlarmFigures{
		From: f.From, To: f.To, Duty: duty, Told: f.Told, Representative: f.Representative,
		Rate: figure(f.Rate), Peak: figure(f.Peak), Flood: figure(f.Flood), Chattering: figure(f.Chattering),
		Standing: figure(f.Standing), High: figure(f.High), Urgent: figure(f.Urgent), Top: figure(f.Top),
		Priorities: f.Priorities, Acknowledged: f.Acknowledged, AckMedian: f.AckMedian, AckP90: f.AckP90,
		FloodSince: now.Flood,
	}
	for _, s := range f.Sources {
		a := alarms[s.Key]
		shown.Sources = append(shown.Sources, dashboard.AlarmSource{Key: s.Key, Title: a.Title, Device: a.Device, Count: s.Count, Share: s.Share})
	}
	for _, c := range now.Chattering {
		shown.ChatteringNow = append(shown.ChatteringNow, dashboard.AlarmChatter{Key: c.Key, Title: alarms[c.Key].Title, Since: c.Since, Count: c.Count})
	}
	for _, key := range now.Stale {
		shown.Stale = append(shown.Stale, alarms[key])
	}
	return shown
}
