package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// What the hub that is killed says, line by line.
const (
	saysReady        = "ready"
	saysAcknowledged = "acknowledged" // with the alarm
	saysFacts        = "facts"        // how many there are, at the end of the last one
)

// lastFacts is how many facts the last hub adds before it ends by itself.
const lastFacts = 40

// work runs a hub in the folder and appends facts to its journal until it is killed. When
// it is ready it first acknowledges what stands, so that alarms end and begin anew.
func work(ctx context.Context, dir string, last bool, out io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := estate()
	l, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Site: e.Site})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(dir, "history.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var told atomic.Uint64 // facts; time goes on with them, so that each arrives at the time of the one before
	now := func() time.Time { return moment(told.Load()) }
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Cursors: hub.Cursors, Now: now})
	if err != nil {
		return err
	}
	told.Store(j.Last())
	defer func() { err = errors.Join(err, j.Close()) }()
	judge, err := engine()
	if err != nil {
		return err
	}
	h := hub.New(hub.Options{
		Estate: e, Rules: judge, Ledger: l, History: store, Journal: j,
		Quiet: func() bool { return true }, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Now: now,
	})
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	tell := teller{told: &told, journal: j, hub: h, ledger: l, out: out, ended: ended}
	err = tell.all(ctx, last)
	cancel()
	if tell.over {
		return err
	}
	return errors.Join(err, <-ended)
}

// teller tells the story to a hub.
type teller struct {
	told    *atomic.Uint64
	journal *journal.Journal
	hub     *hub.Hub
	ledger  *ledger.Ledger
	out     io.Writer
	ended   chan error
	over    bool // ended was heard
}

func (t *teller) all(ctx context.Context, last bool) error {
	if err := t.until(func() bool { return len(t.hub.Ready()) == 0 }); err != nil {
		return err
	}
	if err := t.upTo(ctx, t.journal.Last()); err != nil {
		return err
	}
	fmt.Fprintln(t.out, saysReady)
	if err := t.acknowledge(ctx); err != nil {
		return err
	}
	for !last {
		if err := t.fact(ctx); err != nil {
			return err
		}
	}
	if err := t.upTo(ctx, t.journal.Last()+lastFacts); err != nil {
		return err
	}
	if err := t.until(func() bool { return t.journal.Cursor(hub.CursorHistory) == t.journal.Last() }); err != nil {
		return err
	}
	fmt.Fprintln(t.out, saysFacts, t.journal.Last())
	return nil
}

// upTo appends facts up to the sequence and on to the next of the beacon, and waits until
// all of them are judged.
func (t *teller) upTo(ctx context.Context, n uint64) error {
	for t.journal.Last() < n || t.journal.Last()%beaconEach != 0 {
		if err := t.fact(ctx); err != nil {
			return err
		}
	}
	return t.until(func() bool { return t.journal.Cursor(hub.CursorJudge) == t.journal.Last() })
}

// until waits for something that the hub does.
func (t *teller) until(is func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case err := <-t.ended:
			t.over = true
			return errors.Join(errors.New("the hub ended by itself"), err)
		}
	}
	return nil
}

func (t *teller) acknowledge(ctx context.Context) error {
	alarms, err := t.ledger.Alarms(ctx, facility.AlarmFilter{Standing: true})
	if err != nil {
		return err
	}
	for _, a := range alarms {
		if a.State != facility.AlarmUnacknowledged && a.State != facility.AlarmReturned {
			continue
		}
		_, err := t.hub.AcknowledgeAlarm(ctx, guard, a.ID, "")
		switch {
		case errors.Is(err, facility.ErrNotFound), errors.Is(err, facility.ErrUnlawful): // time has changed it meanwhile
		case err != nil:
			return err
		default:
			fmt.Fprintln(t.out, saysAcknowledged, a.ID)
		}
	}
	return nil
}

// fact appends the next fact.
func (t *teller) fact(ctx context.Context) error {
	n := t.journal.Last() + 1
	body, err := payload.AppendReadings(nil, readings(n))
	if err != nil {
		return err
	}
	head := payload.Header{Site: "kills", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e", Seq: n}
	if _, err = t.journal.Append(ctx, payload.Wrap(head, body)); err != nil {
		return err
	}
	t.told.Store(n)
	return nil
}
