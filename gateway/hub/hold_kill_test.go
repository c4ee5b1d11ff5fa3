package hub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// holdFolder and holdRun name the environment variables that make the test binary the
// child of TestKilledWhileHolding: the folder, and which one it is.
const (
	holdFolder = "GENGFU_HUB_HOLD"
	holdRun    = "GENGFU_HUB_HOLD_RUN"
)

// leadsTo checks that the history, newest first, leads to what holds.
func leadsTo(events []facility.HoldRecord, holds []facility.AlarmHold) error {
	ends := map[facility.AlarmEvent]facility.AlarmEvent{
		facility.AlarmUnshelve: facility.AlarmShelve, facility.AlarmUnsuppress: facility.AlarmSuppress, facility.AlarmPutBack: facility.AlarmTakeOut,
	}
	on := map[string]facility.HoldRecord{}
	for _, e := range slices.Backward(events) {
		begin, isEnd := ends[e.Event]
		if !isEnd {
			on[e.Key+" "+string(e.Event)] = e
			continue
		}
		if _, ok := on[e.Key+" "+string(begin)]; !ok {
			return fmt.Errorf("%s of %s ends nothing", e.Event, e.Key)
		}
		delete(on, e.Key+" "+string(begin))
	}
	begins := map[facility.AlarmState]facility.AlarmEvent{
		facility.AlarmShelved: facility.AlarmShelve, facility.AlarmSuppressed: facility.AlarmSuppress, facility.AlarmOutOfService: facility.AlarmTakeOut,
	}
	for _, h := range holds {
		name := h.Key + " " + string(begins[h.Kind])
		if e := on[name]; !e.At.Equal(h.Since) || e.Actor != h.By || e.Note != h.Reason || e.Order != h.Order {
			return fmt.Errorf("%+v is on, and its history says %+v", h, e)
		}
		delete(on, name)
	}
	if len(on) > 0 {
		return fmt.Errorf("by the history there is also %+v", on)
	}
	return nil
}

// holdUntilKilled runs a hub, on which the fault comes and goes and a person shelves,
// takes out, resets and releases it. Each thing that is done bears a note of its own, and
// is printed once it is known to be kept.
func holdUntilKilled(dir, run string) error {
	ctx := context.Background()
	e := estate()
	e.Plans = nil
	l, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Site: e.Site})
	if err != nil {
		return err
	}
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(dir, "history.db")})
	if err != nil {
		return err
	}
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Cursors: hub.Cursors})
	if err != nil {
		return err
	}
	latched := pumpRules()[:1]
	latched[0].Latch = true
	engine, problems := rules.Compile(latched, e)
	if len(problems) > 0 {
		return problems[0]
	}
	h := hub.New(hub.Options{
		Estate: e, Rules: engine, Ledger: l, History: store, Journal: j,
		Quiet: func() bool { return true }, Logger: slog.New(slog.DiscardHandler),
	})
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(h.Ready()) > 0 {
		<-tick.C
	}
	inMind, err := h.Held()
	if err != nil {
		return err
	}
	kept, err := l.AlarmHolds(ctx)
	if err != nil {
		return err
	}
	same := func(a, b facility.AlarmHold) bool { return a.Same(b) }
	if !slices.EqualFunc(inMind, kept, same) {
		return fmt.Errorf("the ledger holds %+v, the judge %+v", kept, inMind)
	}
	fmt.Println("it works")
	p := holder{hub: h, ledger: l, journal: j, run: run}
	for p.n < actsPerRun {
		if err := p.round(ctx, tick.C); err != nil {
			return err
		}
	}
	return <-ended // it is killed before
}

// actsPerRun keeps all runs together within what the ledger tells at once, 1000.
const actsPerRun = 110

// holder is the person of holdUntilKilled.
type holder struct {
	hub     *hub.Hub
	ledger  *ledger.Ledger
	journal *journal.Journal
	run     string
	n       int
}

// round lets the fault come and go once, and does all that can be done about it.
func (p *holder) round(ctx context.Context, tick <-chan time.Time) error {
	for _, value := range []float64{1, 0} {
		if err := p.fact(ctx, value, tick); err != nil {
			return err
		}
		until := time.Now().Add(time.Hour)
		for _, err := range []error{
			p.did(facility.AlarmShelve, func(note string) error {
				_, err := p.hub.HoldAlarm(ctx, desk, facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: note, Until: &until, OneShot: p.n%3 == 0})
				return err
			}),
			p.did(facility.AlarmTakeOut, func(note string) error {
				_, err := p.hub.HoldAlarm(ctx, desk, facility.AlarmHold{Key: faultKey, Kind: facility.AlarmOutOfService, Reason: note})
				return err
			}),
			p.did(facility.AlarmReset, func(note string) error {
				alarms, err := p.ledger.Alarms(ctx, facility.AlarmFilter{Standing: true})
				if err != nil || len(alarms) == 0 {
					return errors.Join(err, facility.ErrUnlawful)
				}
				_, err = p.hub.ResetAlarm(ctx, desk, alarms[0].ID, note)
				return err
			}),
			p.did(facility.AlarmUnshelve, func(note string) error { return p.hub.ReleaseAlarm(ctx, desk, faultKey, facility.AlarmShelved, note) }),
			p.did(facility.AlarmPutBack, func(note string) error {
				return p.hub.ReleaseAlarm(ctx, desk, faultKey, facility.AlarmOutOfService, note)
			}),
		} {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// did does one thing, and says so when it is done. What is not lawful is nothing.
func (p *holder) did(event facility.AlarmEvent, do func(note string) error) error {
	p.n++
	note := fmt.Sprintf("%s-%d", p.run, p.n)
	err := do(note)
	if errors.Is(err, facility.ErrUnlawful) {
		return nil
	}
	if err == nil {
		fmt.Println(event, note)
	}
	return err
}

// fact says that the fault bit is so now, and waits until it is judged.
func (p *holder) fact(ctx context.Context, value float64, tick <-chan time.Time) error {
	n := p.journal.Last() + 1
	body, err := payload.AppendReadings(nil, []facility.Reading{{Point: fault, Time: time.Now().UTC(), Value: value, Quality: facility.Good}})
	if err != nil {
		return err
	}
	head := payload.Header{Site: "garden", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e", Seq: n}
	if _, err := p.journal.Append(ctx, payload.Wrap(head, body)); err != nil {
		return err
	}
	for p.journal.Cursor("judge") < n {
		<-tick
	}
	return nil
}

// TestKilledWhileHolding kills a hub again and again while a person holds, resets and
// releases an alarm. What the person was told is done is kept once, what they were not
// told at most once, and the ledger and the judge agree at each start.
func TestKilledWhileHolding(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	dir := t.TempDir()
	var told []string
	for run := range 8 {
		child, _, out := startChildAs(t, holdFolder+"="+dir, fmt.Sprint(holdRun, "=", run))
		expect(t, out, "it works")
		after := time.AfterFunc(rand.N(300*time.Millisecond), func() { _ = child.Process.Kill() }) // it is waited for below
		told = append(told, said(out)...)
		after.Stop()
		_ = child.Wait() // it was killed
	}
	l, err := ledger.Open(t.Context(), filepath.Join(dir, "ledger.db"), ledger.Options{Site: estate().Site})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	kept, err := l.AlarmHolds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events, err := l.HoldEvents(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := leadsTo(events, kept); err != nil {
		t.Error(err)
	}
	times := map[string]int{}
	for _, e := range events {
		if e.Actor == desk.Login {
			times[fmt.Sprint(e.Event, " ", e.Note)]++
		}
	}
	alarms, err := l.Alarms(t.Context(), facility.AlarmFilter{Page: facility.Page{Limit: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alarms {
		course, err := l.AlarmEvents(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range course {
			if e.Event == facility.AlarmReset {
				times[fmt.Sprint(e.Event, " ", e.Note)]++
			}
		}
	}
	for what, n := range times {
		if n != 1 {
			t.Errorf("%s is kept %d times", what, n)
		}
	}
	for _, what := range told {
		if times[what] != 1 {
			t.Errorf("%s was said to be done, and is kept %d times", what, times[what])
		}
	}
	t.Logf("%d things were done, %d of them told", len(times), len(told))
	if len(told) == 0 {
		t.Error("nothing was done")
	}
}

// said returns the whole lines that a child prints until it ends.
func said(out *bufio.Reader) (lines []string) {
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			return lines
		}
		lines = append(lines, strings.TrimSpace(line))
	}
}
