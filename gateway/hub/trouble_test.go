package hub_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// TestTheLedgerCannotBeWritten: people are told what is decided, judging, history
// and live view go on, and who asks for something is told that it cannot be.
func TestTheLedgerCannotBeWritten(t *testing.T) {
	for name, finish := range map[string]func(h *house, mend func()){
		"it is mended": func(_ *house, mend func()) { mend() },
		"a restart":    func(h *house, mend func()) { h.stop(); mend(); h.start() },
		"a crash":      func(h *house, mend func()) { mend(); h.crash() },
	} {
		t.Run(name, func(t *testing.T) { ledgerBroken(t, finish) })
	}
}

func ledgerBroken(t *testing.T, finish func(h *house, mend func())) {
	inHouse(t, func(t *testing.T, h *house) {
		events, cancel := h.hub.Subscribe()
		told := keep(events)
		mend := h.breakLedger()
		h.tell(h.bit(1))
		h.pass(5 * time.Second)
		h.tell(h.bit(0), h.bar(3))
		h.pass(time.Second)
		if got := strings.Join(h.hub.Ready(), " "); got != "ledger" {
			t.Errorf("ready says %q", got)
		}
		if j := h.hub.Judgement(); j.Trouble == "" || j.Unwritten != 3 { // raised, told, cleared
			t.Errorf("the health page says %+v", j)
		}
		if len(h.alarms()) > 0 {
			t.Error("this tests nothing: the alarm is written")
		}
		if h.hub.Latest()[pressure].Value != 3 {
			t.Error("the live view stands still")
		}
		if s := h.history.Stats(); s.Stored != 3 {
			t.Errorf("%d readings in the history", s.Stored)
		}
		if _, err := h.hub.AcknowledgeAlarm(t.Context(), desk, "any", ""); err == nil || errors.Is(err, facility.ErrNotFound) {
			t.Errorf("who acknowledges is told %v", err)
		}
		finish(h, mend)
		h.pass(2 * time.Second)
		a, o := h.alarm(), h.order()
		if h.course(a) != "raise clear" || h.story(o) != "create comment" || a.OrderID != o.ID || len(h.hub.Ready()) > 0 || h.hub.Judgement().Unwritten > 0 {
			t.Errorf("afterwards: %+v after %q, order after %q, waiting for %v", a, h.course(a), h.story(o), h.hub.Ready())
		}
		cancel()
		<-told.done
		var states []facility.AlarmState
		for _, e := range told.all() {
			if e.Alarm != nil && e.Alarm.OrderID == "" {
				states = append(states, e.Alarm.State)
			}
		}
		if !slices.Equal(states, []facility.AlarmState{facility.AlarmUnacknowledged, facility.AlarmReturned}) {
			t.Errorf("meanwhile people were told %v", states)
		}
	})
}

// breakLedger lets nothing be written to the ledger until it is mended.
func (h *house) breakLedger() (mend func()) {
	do := func(query string) {
		db, err := sql.Open("sqlite", filepath.Join(h.dir, "ledger.db"))
		h.must(err)
		_, err = db.ExecContext(h.t.Context(), query)
		h.must(errors.Join(err, db.Close()))
	}
	do("ALTER TABLE journal_cursor RENAME TO elsewhere")
	return func() { do("ALTER TABLE elsewhere RENAME TO journal_cursor") }
}

// slow is a history that fails at will.
type slow struct {
	history.Store
	mu    sync.Mutex
	err   error
	tries []time.Time
}

func (s *slow) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *slow) Write(ctx context.Context, rows []history.Row) error {
	s.mu.Lock()
	err := s.err
	s.tries = append(s.tries, time.Now())
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Store.Write(ctx, rows)
}

func (s *slow) Latest(ctx context.Context, d []facility.Device, before time.Time) (map[facility.PointID]facility.Reading, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		<-ctx.Done() // a server that does not answer
		return nil, err
	}
	return s.Store.Latest(ctx, d, before)
}

func TestTheHistoryIsDown(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		broken := &slow{err: &history.TemporaryError{Err: errors.New("busy"), RetryAfter: time.Minute}}
		h.watch = func(s history.Store) history.Store { broken.Store = s; return broken }
		h.restart()
		if len(h.hub.Ready()) > 0 {
			t.Errorf("it waits for %v", h.hub.Ready())
		}
		h.tell(h.bit(1))
		if a := h.alarm(); a.State != facility.AlarmUnacknowledged {
			t.Errorf("the alarm is %+v", a)
		}
		h.pass(3*time.Minute + time.Second)
		broken.mu.Lock()
		tries := broken.tries
		broken.mu.Unlock()
		if len(tries) != 4 || tries[1].Sub(tries[0]) != time.Minute {
			t.Errorf("tried at %v, though the server asked for a minute each time", tries)
		}
		for _, c := range h.hub.Consumers() {
			if want := map[string]uint64{"judge": 0, "history": 1}[c.Name]; c.Behind != want {
				t.Errorf("%s is %d behind, want %d", c.Name, c.Behind, want)
			}
		}
		broken.fail(nil)
		h.pass(time.Minute)
		rs, err := h.history.Readings(t.Context(), facility.Point{ID: fault}, "pump", evening.Add(-time.Hour), evening.Add(time.Hour))
		h.must(err)
		if len(rs) != 1 || rs[0].Value != 1 {
			t.Errorf("the history holds %+v", rs)
		}
	})
}

func TestTheLastReadingsAreRecalled(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.tell(h.bar(3.25))
		h.pass(time.Second)
		interrupt()
		if r := h.hub.Latest()[pressure]; r.Value != 3.25 || r.Quality != facility.Good {
			t.Errorf("the board shows %+v", r)
		}
	})
}

// TestAWrongClock: neither a reading from the future nor one from before there
// was a program makes its point deaf.
func TestAWrongClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"an hour ahead": time.Hour, "in 1970": -56 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				h.tell(h.bit(0))
				h.pass(time.Second)
				first, second := h.bit(0), h.bit(1)
				first.Time, second.Time = first.Time.Add(ahead-time.Second/2), second.Time.Add(ahead)
				at := h.now()
				h.tell(first, second)
				if a := h.alarm(); !a.RaisedAt.Equal(at) {
					t.Errorf("raised at %v, received at %v", a.RaisedAt, at)
				}
				if r := h.hub.Latest()[fault]; r.Quality != facility.Uncertain || r.Reason != facility.ClockUnknown {
					t.Errorf("the board shows %+v", r)
				}
				h.pass(time.Second)
				h.tell(h.bit(0)) // the clock is right again
				if a := h.alarm(); a.State != facility.AlarmReturned {
					t.Errorf("the alarm is %s", a.State)
				}
				if j := h.hub.Judgement(); j.Mistimed != 2 || j.Late != 0 {
					t.Errorf("counted %+v", j)
				}
				rs, err := h.history.Readings(t.Context(), facility.Point{ID: fault}, "pump", evening.Add(-time.Hour), evening.Add(time.Hour))
				h.must(err)
				if len(rs) != 4 {
					t.Errorf("the history holds %+v", rs)
				}
			})
		})
	}
}

// TestARefusedDecisionHoldsUpNoOther: a tap without an id cannot be kept.
func TestARefusedDecisionHoldsUpNoOther(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		bad := facility.Tap{ID: "", Source: "by magic", TappedAt: h.now()}
		h.must(h.takeTaps(t.Context(), []facility.Tap{bad}))
		h.tell(h.bit(1))
		h.pass(time.Second)
		if a := h.alarm(); a.State != facility.AlarmUnacknowledged {
			t.Errorf("the alarm is %+v", a)
		}
		if j := h.hub.Judgement(); j.SetAside != 1 || j.Trouble != "" {
			t.Errorf("counted %+v", j)
		}
	})
}
