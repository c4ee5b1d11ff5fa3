package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

var (
	start  = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	bases  = []facility.AlarmState{"normal", "unacknowledged", "acknowledged", "returned", "latched_unacknowledged", "latched_acknowledged"}
	events = []facility.AlarmEvent{
		"raise", "clear", "acknowledge", "realarm", "reset", "retire", "unknown", "known",
		"shelve", "unshelve", "suppress", "unsuppress", "take_out", "put_back", "recur", "release", "", "shout",
	}
)

// both does the event to the state and to the reference, and compares what came of it.
func both(t interface{ Fatalf(string, ...any) }, s lifecycle.State, p lifecycle.Policy, in lifecycle.Input) (lifecycle.State, lifecycle.Transition, bool) {
	want := refer(s)
	lawful, tells := want.do(p, in)
	next, tr, err := s.Step(p, in)
	switch {
	case lawful != (err == nil):
		t.Fatalf("%+v\n%+v\n%+v: error %v, lawful %v", s, p, in, err, lawful)
	case err != nil:
		if next != s || tr != (lifecycle.Transition{}) {
			t.Fatalf("%+v %+v was refused and moved to %+v", s, in, next)
		}
		if !errors.Is(err, facility.ErrUnlawful) && !errors.Is(err, facility.ErrInvalid) {
			t.Fatalf("%v is of no known kind", err)
		}
		return next, tr, false
	}
	got := refer(next)
	if *want != *got || want.base() != next.Base {
		t.Fatalf("%+v\n%+v\n%+v: %s %+v, want %s %+v", s, p, in, next.Base, *got, want.base(), *want)
	}
	if tr.Annunciate != tells || tr.From != s.Base || tr.To != next.Base || tr.Was != s.Shown() || tr.Shown != next.Shown() || tr.Event != in.Event || tr.Why == "" {
		t.Fatalf("%+v\n%+v\n%+v: %+v, want told %v", s, p, in, tr, tells)
	}
	invariant(t, s, next, tr)
	return next, tr, true
}

// invariant is what holds of every transition, whatever the model says.
func invariant(t interface{ Fatalf(string, ...any) }, s, next lifecycle.State, tr lifecycle.Transition) {
	switch {
	case tr.Annunciate && (next.Held() || next.Base != facility.AlarmUnacknowledged):
		t.Fatalf("people are told of an alarm that is %s", next.Shown())
	case s.Unknown && s.Base.Active() && !next.Base.Active() && tr.Event != facility.AlarmRetire:
		t.Fatalf("%s took an unknown alarm from %s to %s", tr.Event, s.Base, next.Base)
	case s.Base.Active() && !next.Base.Active() && tr.Event != facility.AlarmClear && tr.Event != facility.AlarmRetire:
		t.Fatalf("%s took the condition away", tr.Event)
	case s.Held() && !next.Held() && next.Base.Active() && next.Base != facility.AlarmUnacknowledged:
		t.Fatalf("the last hold ended and the alarm is %s", next.Base)
	}
}

func TestExhaustive(t *testing.T) {
	flags := []bool{false, true}
	lawful, refused := 0, 0
	for _, s := range everyState(flags) {
		for _, p := range everyPolicy(flags) {
			for _, in := range everyInput() {
				if _, _, ok := both(t, s, p, in); ok {
					lawful++
				} else {
					refused++
				}
			}
		}
	}
	t.Logf("%d lawful and %d refused", lawful, refused)
	if lawful == 0 || refused == 0 {
		t.Fatal("nothing was tried")
	}
}

func everyState(flags []bool) (out []lifecycle.State) {
	hold := func(on bool) lifecycle.Hold {
		if !on {
			return lifecycle.Hold{}
		}
		return lifecycle.Hold{By: "li", Reason: "works", Cause: "mains", Order: "o", Since: start.Add(-time.Hour), Until: start.Add(time.Hour)}
	}
	for _, base := range bases {
		for holds := range 9 { // the ninth is a one-shot shelf alone
			for _, unknown := range flags {
				for _, untold := range flags {
					for _, told := range []time.Duration{0, -time.Minute, -time.Hour, time.Minute} {
						for _, as := range []facility.Priority{facility.P1, facility.P3} {
							s := lifecycle.State{
								Base: base, Unknown: unknown, Untold: untold && base != "acknowledged" && base != "normal" && base != "latched_acknowledged", Priority: facility.P2,
								Shelf: hold(holds&1 != 0 || holds == 8), Suppression: hold(holds&2 != 0), Outage: hold(holds&4 != 0),
							}
							s.Shelf.OneShot = holds == 8
							if told != 0 {
								s.Told, s.ToldAs = start.Add(told), as
							}
							out = append(out, s)
						}
					}
				}
			}
		}
	}
	return out
}

func everyPolicy(flags []bool) (out []lifecycle.Policy) {
	for _, latch := range flags {
		for _, note := range flags {
			if note && !latch {
				continue // neither has to do with the other
			}
			for _, times := range [][2]time.Duration{{0, 0}, {30 * time.Minute, 0}, {2 * time.Hour, 5 * time.Minute}, {0, 10 * time.Minute}, {time.Minute, time.Hour}} {
				out = append(out, lifecycle.Policy{Latch: latch, AckNote: note, Realarm: times[0], Quiet: times[1], MaxShelf: 2 * time.Hour})
			}
		}
	}
	return out
}

func everyInput() (out []lifecycle.Input) {
	for _, e := range events {
		for _, priority := range []facility.Priority{"", facility.P1, facility.P3} {
			if priority != "" && e != facility.AlarmRaise && e != facility.AlarmRealarm && e != facility.AlarmUnshelve {
				continue // the others take none
			}
			full := lifecycle.Input{Event: e, At: start, By: "wang", Note: "seen", Cause: "mains", Order: "o-1", Priority: priority, Until: start.Add(2 * time.Hour)}
			bare := full
			bare.By, bare.Note, bare.Cause = "", "", ""
			long, endless, past := full, full, full
			long.Until, endless.Until, past.Until = start.Add(2*time.Hour+1), time.Time{}, start
			endless.Note, endless.OneShot = "", true
			once := full
			once.OneShot = true
			untold := full
			untold.Untold = true
			out = append(out, full, bare, long, endless, past, once, untold)
		}
	}
	return out
}

// TestWalks lets alarms live at random, with time passing and what is due being done,
// and holds besides the model the promises of the package's comment.
func TestWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Minute
		}
		p := lifecycle.Policy{Latch: rapid.Bool().Draw(t, "latch"), Realarm: minutes("realarm", 60), Quiet: minutes("quiet", 30), MaxShelf: 2 * time.Hour}
		gap := p.Quiet
		if gap == 0 {
			gap = p.Realarm
		}
		s, now := lifecycle.Fresh(), start
		var last time.Time
		lastAs := facility.Priority("")
		step := func(in lifecycle.Input) bool {
			next, tr, ok := both(t, s, p, in)
			if ok && in.Event == facility.AlarmSuppress && in.Untold && s.Base == facility.AlarmUnacknowledged {
				last = time.Time{} // it was not told then
			}
			if tr.Annunciate {
				if !last.IsZero() && in.At.Sub(last) < gap && next.Priority >= lastAs {
					t.Fatalf("told at %v and again at %v within %v", last, in.At, gap)
				}
				last, lastAs = in.At, next.Priority
			}
			s = next
			return ok
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			until := now.Add(minutes("pass", 40))
			for n := 0; ; n++ {
				e, at, ok := s.Due(p)
				if !ok || at.After(until) {
					break
				}
				if at.Before(now) {
					at = now
				}
				now = at
				if n > 1000 || !step(lifecycle.Input{Event: e, At: now, By: facility.SystemActor}) {
					t.Fatalf("%s was due at %v and could not be done: %+v", e, at, s)
				}
			}
			now = until
			if s.Untold && s.Base.Active() && !s.Held() && !s.Unknown && !now.Before(last.Add(gap)) {
				t.Fatalf("an alarm stands at %v and nobody was told since %v: %+v", now, last, s)
			}
			if s.Shelf.On() && !s.Shelf.Until.After(now) {
				t.Fatalf("shelved beyond its time: %+v", s)
			}
			step(lifecycle.Input{
				Event: rapid.SampledFrom(events[:14]).Draw(t, "event"), At: now, By: "wang", Note: "why", Cause: "mains", Order: "o",
				Priority: rapid.SampledFrom([]facility.Priority{"", "P1", "P2", "P3", "P4"}).Draw(t, "priority"),
				Until:    now.Add(minutes("hold", 121)), OneShot: rapid.Bool().Draw(t, "one-shot"), Untold: rapid.Bool().Draw(t, "untold"),
			})
			stored, err := lifecycle.Restore(s, now)
			if err != nil || stored != s {
				t.Fatalf("a state does not outlive a restart: %+v, %+v, %v", s, stored, err)
			}
		}
	})
}
