package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/hub"
	"gengfu/rules"
	"gengfu/storage/ledger"
)

// measureCommit writes what the engine decides to a ledger as the hub does, each
// decision with the state that followed from it, while 10,000 instances judge 1,000
// readings a second: what comes between two decisions goes by the readings' own times,
// and the processor time of a commit is all that this process uses until it is durable.
func measureCommit(p plan, out io.Writer) (_ []figure.Figure, err error) {
	e := estate(1000)
	engine, err := compile(mix(), e)
	if err != nil {
		return nil, err
	}
	for round := range 400 {
		feed(engine, e, round)
	}
	dir, err := os.MkdirTemp("", "gengfu-rules-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := ledger.Open(context.Background(), filepath.Join(dir, "ledger.db"), ledger.Options{Site: e.Site})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	c := &committer{engine: engine, ledger: l}
	const readings = 1000 // a second
	step := time.Second * time.Duration(len(quantities)) / readings
	var passed time.Duration
	for round := 400; passed < p.commits; round++ {
		polled := polls(e, round)
		for len(polled) > 0 {
			changes := engine.Observe(polled[:len(quantities)]...)
			polled = polled[len(quantities):]
			passed += step
			c.since += step
			if len(changes) == 0 && c.since < hub.SaveEvery && engine.Unsaved() < hub.SaveMany { // as the hub does
				continue
			}
			if err := c.commit(changes); err != nil {
				return nil, err
			}
		}
	}
	return c.figures(out, passed)
}

// committer keeps decisions, and what they cost.
type committer struct {
	engine *rules.Engine
	ledger *ledger.Ledger
	seq    uint64
	since  time.Duration // the last commit, by the readings

	bytes, spent, took []float64 // of those that kept a part; bytes, ms, ms
	whole              string    // what the whole took, at the start
}

func (c *committer) commit(changes []rules.Change) error {
	c.seq++
	c.since = 0
	begin, used := time.Now(), processor()
	state, err := c.engine.Save()
	if err != nil {
		return err
	}
	err = c.ledger.Update(context.Background(), func(tx *ledger.Tx) error {
		for _, change := range changes {
			if err := write(tx, change); err != nil {
				return err
			}
		}
		if err := tx.SetCursor("judge", c.seq); err != nil {
			return err
		}
		if state.Whole {
			return tx.SaveState("rules", state.Data)
		}
		return tx.SavePart("rules", state.Seq, state.Before, state.Data)
	})
	if err != nil {
		return err
	}
	c.engine.Kept()
	spent, took := processor()-used, time.Since(begin)
	if state.Whole {
		c.whole = fmt.Sprintf("%.1f MB in %s, %s of processor time", mb(len(state.Data)), took.Round(time.Millisecond), spent.Round(time.Millisecond))
		return nil
	}
	c.bytes = append(c.bytes, float64(len(state.Data)))
	c.spent = append(c.spent, milliseconds(spent))
	c.took = append(c.took, milliseconds(took))
	return nil
}

func (c *committer) figures(out io.Writer, passed time.Duration) ([]figure.Figure, error) {
	if len(c.bytes) < 100 || c.whole == "" {
		return nil, fmt.Errorf("only %d commits of parts; whole: %q", len(c.bytes), c.whole)
	}
	sum := 0.0
	for _, b := range c.bytes {
		sum += b
	}
	fmt.Fprintf(out, "Commit: %d instances, %d decisions in %s at 1,000 readings a second; each keeps %.1f KB (median; p99 %.1f), %.2f ms of processor time (median) and %.2f ms by the clock; parts are %.0f KB a second; the whole, once at the start, %s\n",
		c.engine.Instances(), len(c.bytes), passed.Round(time.Second), figure.Quantile(c.bytes, 0.5)/1024, figure.Quantile(c.bytes, 0.99)/1024,
		figure.Quantile(c.spent, 0.5), figure.Quantile(c.took, 0.5), sum/1024/passed.Seconds(),
		c.whole)
	return []figure.Figure{
		figure.AtMost("rules_commit_cpu_p99", figure.Quantile(c.spent, 0.99), "ms", 5, 2, "processor time to keep a decision and what it changed of 10,000 instances, at 1,000 readings/s"),
	}, nil
}

// write keeps one change as the hub does, but for its order.
func write(tx *ledger.Tx, c rules.Change) error {
	return errors.Join(tx.SaveAlarm(c.Alarm), tx.AddAlarmEvent(facility.AlarmRecord{
		Alarm: c.Alarm.ID, At: c.At, Event: c.Event, From: c.From, To: c.Alarm.State, Value: c.Alarm.Value, Note: c.Note,
	}))
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
