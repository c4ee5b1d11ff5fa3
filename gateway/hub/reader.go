package hub

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// batchBytes is how much of the journal a consumer takes at a time.
const batchBytes = 256 << 10

// facts is a stretch of the hub's journal, decoded, in order. What it holds is shared
// between consumers: nobody may change it.
type facts struct {
	upTo  uint64 // sequence of the last record in it
	items []fact
	count int64 // of its readings and taps, by the journal
	lost  int64 // of them in records that cannot be decoded
}

// fact is the content of one record.
type fact struct {
	gateway  string
	source   string // stream and epoch that it came from
	seq      uint64 // in that
	readings []facility.Reading
	taps     []facility.Tap
	arrived  time.Time
	mistimed int // readings whose time could not be and was replaced
}

// follower reads the journal for its consumers.
type follower struct {
	journal *journal.Journal
	log     *slog.Logger
	shelf   shelf
}

// follow reads the journal after the sequence and hands it over in order, until
// ctx ends or take refuses. Each consumer follows for itself, so that one that is
// slow or stuck holds up no other. A record that cannot be decoded was refused by
// the intake, so one here means damage: it is logged and passed over, not retried
// for ever.
func (f *follower) follow(ctx context.Context, after uint64, take func(facts) bool) {
	for {
		if err := f.journal.Wait(ctx, after); err != nil {
			return
		}
		records, err := f.journal.Read(after, batchBytes)
		if err != nil {
			f.log.Error("cannot read the journal", "error", err)
			if !pause(ctx) {
				return
			}
			continue
		}
		if len(records) == 0 {
			continue // damaged ones that are removed now: Wait knows
		}
		if !take(f.decode(records)) {
			return
		}
		after = records[len(records)-1].Seq
	}
}

func (f *follower) decode(records []journal.Record) facts {
	out := facts{upTo: records[len(records)-1].Seq}
	for _, r := range records {
		out.count += r.Facts
		item, err := f.shelf.decode(r)
		if err != nil {
			f.log.Error("a record of the journal cannot be decoded and is passed over", "sequence", r.Seq, "error", err)
			out.lost += r.Facts
			continue
		}
		out.items = append(out.items, item)
	}
	return out
}

func newFact(h payload.Header, readings []facility.Reading, taps []facility.Tap, at time.Time) fact {
	retimeTaps(taps, at)
	return fact{
		gateway: h.Gateway, source: strings.Join([]string{h.Site, h.Gateway, string(h.Stream), h.Epoch}, "/"), seq: h.Seq,
		readings: readings, taps: taps, arrived: at, mistimed: retime(readings, at),
	}
}

// pause waits before the next try and reports whether ctx still lives.
func pause(ctx context.Context) bool {
	t := time.NewTimer(retry)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
