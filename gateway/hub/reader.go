package hub

import (
	"context"
	"log/slog"
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
	readings []facility.Reading
	taps     []facility.Tap
}

// pump reads the journal after the sequence and hands it over in order, until
// ctx ends. A record that cannot be decoded was refused by the intake, so one
// here means damage: it is logged and passed over, not retried for ever.
func pump(ctx context.Context, j *journal.Journal, after uint64, out chan<- facts, log *slog.Logger) {
	defer close(out)
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
			continue
		}
		f := facts{upTo: records[len(records)-1].Seq}
		for _, r := range records {
			_, readings, taps, err := payload.Decode(r.Body)
			if err != nil {
				log.Error("a record of the journal cannot be decoded and is passed over", "sequence", r.Seq, "error", err)
				continue
			}
			for i := range taps {
				if taps[i].ReceivedAt.IsZero() {
					taps[i].ReceivedAt = r.At
				}
			}
			f.items = append(f.items, fact{readings, taps})
		}
		select {
		case out <- f:
			after = f.upTo
		case <-ctx.Done():
			return
		}
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
