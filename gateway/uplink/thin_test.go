package uplink

import (
	"testing"
	"time"
)

// line carries so many bytes per second, one batch behind the other, whatever is put on
// it, and the hub acknowledges what arrives after a delay.
type line struct {
	rate  int           // bytes per second
	delay time.Duration // both ways together
	free  time.Time     // when all that is on it has arrived
	acks  []ackAt       // in order
	sent  int           // bytes
	mark  uint64        // of the hub
	worst time.Duration // that a batch waited behind others
}

type ackAt struct {
	seq uint64
	at  time.Time
}

func (l *line) carry(seq uint64, size int, now time.Time) {
	if l.free.Before(now) {
		l.free = now
	}
	l.worst = max(l.worst, l.free.Sub(now))
	l.free = l.free.Add(time.Duration(size) * time.Second / time.Duration(l.rate))
	l.sent += size
	if seq == l.mark+1 {
		l.mark = seq
	}
	l.acks = append(l.acks, ackAt{l.mark, l.free.Add(l.delay)})
}

// drain sends so many batches over the line and returns how long it took.
func drain(w *window, l *line, batches uint64, size int) time.Duration {
	now := t0
	for w.acked < batches {
		for seq := w.after() + 1; seq <= batches && w.room(size); seq++ {
			w.send(seq, size, now)
			l.carry(seq, size, now)
		}
		next := w.deadline
		if len(l.acks) > 0 && (next.IsZero() || !l.acks[0].at.After(next)) {
			a := l.acks[0]
			l.acks = l.acks[1:]
			if now = a.at; a.seq > 0 {
				w.ack(a.seq, false, now)
			}
			continue
		}
		now = next
		w.expire(now)
	}
	return now.Sub(t0)
}

// TestAThinLineIsNotFilledWithRepetitions: what is slow is not lost.
func TestAThinLineIsNotFilledWithRepetitions(t *testing.T) {
	const batches, size = 200, joinBytes
	for name, l := range map[string]*line{
		"9.6 kbit/s": {rate: 1_200, delay: 600 * time.Millisecond},
		"64 kbit/s":  {rate: 8_000, delay: 300 * time.Millisecond},
		"1 Mbit/s":   {rate: 125_000, delay: 100 * time.Millisecond},
		"by satellite": {
			rate: 250_000, delay: 700 * time.Millisecond,
		},
		"a hub that takes four seconds": {rate: 10_000_000, delay: 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			took := drain(newWindow(0, least), l, batches, size)
			ideal := time.Duration(batches*size) * time.Second / time.Duration(l.rate)
			again := float64(l.sent)/(batches*size) - 1
			t.Logf("%v, at best %v; %.1f %% sent again; a batch waited up to %v", took.Round(time.Second), ideal.Round(time.Second), 100*again, l.worst.Round(time.Second))
			if again > 0.1 {
				t.Errorf("%.0f %% was sent again", 100*again)
			}
		})
	}
}
