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

// facts is a stretch of the hub's journal, decoded, in order.
type facts struct {
	upTo  uint64 // sequence of the last record in it
	items []fact
}

// fact is the content of one record.
type fact struct {
	gateway  string
	source   string // stream and epoch that it came from
	seq      uint64 // in that
	readings []facility.Reading
	taps     []facility.Tap
	mistimed int // readings whose time could not be and was replaced
}

// follow reads the journal after the sequence and hands it over in order, until
// ctx ends or take refuses. Each consumer follows for itself, so that one that is
// slow or stuck holds up no other. A record that cannot be decoded was refused by
// the intake, so one here means damage: it is logged and passed over, not retried
// for ever.
func follow(ctx context.Context, j *journal.Journal, after uint64, log *slog.Logger, take func(facts) bool) {
	for {
		if err := j.Wait(ctx, after); err != nil {
			return
		}
		records, err := j.Read(after, batchBytes)
		if err != nil {
			log.Error("cannot read the journal", "error", err)
			if !pause(ctx, time.Second) {
				return
			}
			continue
		}
		if len(records) == 0 {
			continue // damaged ones that are removed now: Wait knows
		}
		if !take(decode(records, log)) {
			return
		}
		after = records[len(records)-1].Seq
	}
}

func decode(records []journal.Record, log *slog.Logger) facts {
	f := facts{upTo: records[len(records)-1].Seq}
	for _, r := range records {
		h, readings, taps, err := payload.Decode(r.Body)
		if err != nil {
			log.Error("a record of the journal cannot be decoded and is passed over", "sequence", r.Seq, "error", err)
			continue
		}
		for i := range taps {
			if taps[i].ReceivedAt.IsZero() {
				taps[i].ReceivedAt = r.At
			}
		}
		f.items = append(f.items, newFact(h, readings, taps, r.At))
	}
	return f
}

func newFact(h payload.Header, readings []facility.Reading, taps []facility.Tap, at time.Time) fact {
	return fact{
		gateway: h.Gateway, source: strings.Join([]string{h.Site, h.Gateway, string(h.Stream), h.Epoch}, "/"), seq: h.Seq,
		readings: readings, taps: taps, mistimed: retime(readings, at),
	}
}

// pause waits for d and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
