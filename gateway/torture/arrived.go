package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/ledger"
)

// arrived is what the history and the ledger hold.
type arrived struct {
	here        map[kind]map[int]bool
	wrong       []string
	doubled     []string
	alarms      int // how often the fault was counted
	alarmKeys   int // alarms
	alarmOrders int // orders
}

// most is how many faults of one sort are told.
const most = 20

func (a *arrived) mistake(format string, args ...any) {
	if len(a.wrong) < most {
		a.wrong = append(a.wrong, fmt.Sprintf(format, args...))
	}
}

// readArrived reads everything from both.
func readArrived(ctx context.Context, f numbering, store history.Store, l *ledger.Ledger, points map[facility.PointID]facility.Point) (*arrived, error) {
	a := &arrived{here: map[kind]map[int]bool{samples: {}, bits: {}, taps: {}}}
	from, to := f.base.Add(-time.Hour), f.base.Add(24*time.Hour)
	for id, p := range points {
		rs, err := store.Readings(ctx, p, pumpKind, from, to)
		if err != nil {
			return nil, fmt.Errorf("read %s from the history: %w", id, err)
		}
		for _, r := range rs {
			a.reading(f, r)
		}
	}
	found, err := l.Taps(ctx, from, to)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		a.tap(f, t.Tap)
	}
	return a, a.readAlarms(ctx, l)
}

func (a *arrived) reading(f numbering, r facility.Reading) {
	k, n := samples, f.number(r.Time)
	want := f.sample(max(n, 0))
	if r.Point == fault {
		k, want = bits, f.bit(max(n, 0))
	}
	if n < 0 || !r.Time.Equal(want.Time) || r.Point != want.Point || r.Value != want.Value || r.Quality != want.Quality || r.Reason != want.Reason {
		a.mistake("%s %d is %+v, want %+v", k, n, r, want)
	}
	if a.here[k][n] {
		a.doubled = append(a.doubled, fmt.Sprintf("%s %d", k, n))
	}
	a.here[k][n] = true
}

func (a *arrived) tap(f numbering, t facility.Tap) {
	n := f.number(t.TappedAt)
	want := f.tap(max(n, 0))
	if n < 0 || t.ID != want.ID || t.Source != want.Source || t.Reader != want.Reader || t.Credential != want.Credential || !t.TappedAt.Equal(want.TappedAt) || !t.SentAt.Equal(want.SentAt) {
		a.mistake("tap %d is %+v, want %+v", n, t, want)
	}
	if a.here[taps][n] {
		a.doubled = append(a.doubled, fmt.Sprintf("tap %d", n))
	}
	a.here[taps][n] = true
}

func (a *arrived) readAlarms(ctx context.Context, l *ledger.Ledger) error {
	alarms, err := l.Alarms(ctx, facility.AlarmFilter{})
	if err != nil {
		return err
	}
	for _, alarm := range alarms {
		a.alarmKeys++
		a.alarms += alarm.Count
		events, err := l.AlarmEvents(ctx, alarm.ID)
		if err != nil {
			return err
		}
		came := 0
		for _, e := range events {
			if e.Event == facility.AlarmRaise || e.Event == facility.AlarmRecur {
				came++
			}
		}
		if came != alarm.Count {
			a.doubled = append(a.doubled, fmt.Sprintf("alarm %s counts %d and its events %d", alarm.Key, alarm.Count, came))
		}
	}
	orders, err := l.Orders(ctx, facility.OrderFilter{})
	if err != nil {
		return err
	}
	a.alarmOrders = len(orders)
	for _, o := range orders {
		if o.Count != a.alarms {
			a.doubled = append(a.doubled, fmt.Sprintf("order %s counts %d and its alarm %d", o.ID, o.Count, a.alarms))
		}
		events, err := l.OrderEvents(ctx, o.ID)
		if err != nil {
			return err
		}
		told := 1
		for _, e := range events {
			told += e.Times
		}
		if told != o.Noted || told > o.Count {
			a.doubled = append(a.doubled, fmt.Sprintf("order %s counts %d, its history tells of %d and it says %d", o.ID, o.Count, told, o.Noted))
		}
	}
	return nil
}

func parseProgress(text string) (waiting int, all []progress, err error) {
	number, rest, ok := strings.Cut(text, " ")
	if !ok {
		return 0, nil, errors.New("too short")
	}
	if _, err := fmt.Sscan(number, &waiting); err != nil {
		return 0, nil, err
	}
	return waiting, all, json.Unmarshal([]byte(rest), &all)
}
