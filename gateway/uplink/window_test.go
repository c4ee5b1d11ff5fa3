package uplink

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const least = 3 * time.Second

// fill sends numbered batches of 100 bytes while there is room.
func fill(w *window, last uint64, now time.Time) (seqs, prevs []uint64) {
	for seq := w.after() + 1; seq <= last && w.room(100); seq++ {
		prevs = append(prevs, w.prev())
		w.send(seq, 100, now)
		seqs = append(seqs, seq)
	}
	return seqs, prevs
}

func TestWindowBeginsSmallAndDoubles(t *testing.T) {
	w := newWindow(10, least)
	acked := uint64(10)
	for _, want := range []int{1, 2, 4, 8, 16, 32, 64, 64} {
		seqs, prevs := fill(w, 10_000, t0)
		if len(seqs) != want || seqs[0] != acked+1 || prevs[0] != 0 {
			t.Fatalf("sent %d from %d after %d, want %d", len(seqs), seqs[0], prevs[0], want)
		}
		for i, p := range prevs[1:] {
			if p != seqs[i] {
				t.Fatalf("batch %d names %d as the one before", seqs[i+1], p)
			}
		}
		acked = seqs[len(seqs)-1]
		if !w.ack(acked, false, t0) {
			t.Fatal("no progress")
		}
	}
}

func TestWindowIsBoundedInBytes(t *testing.T) {
	w := newWindow(0, least)
	w.limit = maxFlight
	w.send(1, maxFlightBytes+1, t0)
	if w.room(1) {
		t.Error("room beyond the bytes")
	}
	w.ack(1, false, t0)
	if !w.room(10 * maxFlightBytes) {
		t.Error("a single large batch cannot be sent at all")
	}
}

func TestWindowExpires(t *testing.T) {
	w := newWindow(0, least)
	w.limit = 8
	now := t0
	if w.expire(now.Add(time.Hour)) {
		t.Error("nothing was sent")
	}
	for _, seconds := range []int{3, 6, 12, 24, 48, 60, 60} {
		want := time.Duration(seconds) * time.Second
		fill(w, 100, now)
		if w.expire(now.Add(want - 1)) {
			t.Fatalf("expired before %v", want)
		}
		now = now.Add(want)
		if !w.expire(now) {
			t.Fatalf("not expired after %v", want)
		}
		if seqs, _ := fill(w, 100, now); len(seqs) != 1 || seqs[0] != 1 {
			t.Fatalf("sent %v again, want one probe", seqs)
		}
		w.rewind()
	}
	fill(w, 100, now)
	w.ack(1, false, now) // of one that was sent many times
	fill(w, 100, now)
	if w.expire(now.Add(maxTimeout - 1)) {
		t.Error("what may only be slow is thought lost")
	}
	w.ack(8, false, now) // likewise
	fill(w, 100, now)
	now = now.Add(10 * time.Millisecond)
	w.ack(9, false, now)
	fill(w, 100, now)
	if w.expire(now.Add(least-1)) || !w.expire(now.Add(least)) {
		t.Error("a batch that was sent once did not bring the first timeout back")
	}
}

func TestWindowGoesBackOncePerLoss(t *testing.T) {
	w := newWindow(0, least)
	w.limit = 8
	fill(w, 8, t0)
	w.ack(3, true, t0)
	if seqs, prevs := fill(w, 8, t0); len(seqs) != 5 || seqs[0] != 4 || prevs[0] != 0 {
		t.Fatalf("sent %v again, want 4 to 8", seqs)
	}
	for range 4 { // each batch that was under way made the hub ask
		w.ack(3, true, t0.Add(time.Second))
	}
	if seqs, _ := fill(w, 8, t0); len(seqs) != 0 {
		t.Errorf("sent %v a third time", seqs)
	}
	w.ack(3, true, t0.Add(least))
	if seqs, _ := fill(w, 8, t0); len(seqs) != 5 {
		t.Errorf("sent %v, want all again after a while", seqs)
	}
	if w.ack(2, true, t0.Add(time.Hour)); w.acked != 3 || len(w.flight) != 5 {
		t.Error("an old acknowledgement moved the window")
	}
}

// TestWindowGoesOnPastWhatIsHeld: a hub that cannot make facts durable hears of the
// next ones all the same, and of all of them again in the end.
func TestWindowGoesOnPastWhatIsHeld(t *testing.T) {
	w := newWindow(3, least)
	fill(w, 4, t0)
	if !w.hold(4, t0) || w.hold(4, t0) {
		t.Error("what is held counts once")
	}
	if seqs, prevs := fill(w, 6, t0.Add(time.Second)); len(seqs) != 2 || seqs[0] != 5 || prevs[0] != 4 || prevs[1] != 5 {
		t.Fatalf("sent %v after %v", seqs, prevs)
	}
	if !w.hold(6, t0) || w.expire(t0.Add(least-1)) || !w.expire(t0.Add(least)) {
		t.Fatal("what came later put off that the first is sent again")
	}
	now := t0.Add(least)
	if seqs, prevs := fill(w, 6, now); len(seqs) != 1 || seqs[0] != 4 || prevs[0] != 0 {
		t.Fatalf("sent %v after %v, want the first that is not durable", seqs, prevs)
	}
	w.hold(4, t0)
	if seqs, _ := fill(w, 6, now); len(seqs) != 2 || seqs[1] != 6 {
		t.Fatalf("sent %v", seqs)
	}
	w.ack(5, false, now)
	if w.held != 0 || len(w.flight) != 1 || w.after() != 6 {
		t.Errorf("window %+v", w)
	}
	w.ack(6, false, now)
	if !w.deadline.IsZero() {
		t.Error("waits for nothing")
	}
}

// TestWindowInvariants throws any sequence of events at the window.
func TestWindowInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWindow(0, least)
		now := t0
		var acked uint64
		rt.Repeat(map[string]func(*rapid.T){
			"fill": func(rt *rapid.T) {
				seqs, prevs := fill(w, 500, now)
				for i, seq := range seqs {
					if prev := prevs[i]; prev != 0 && prev != seq-1 || prev == 0 && seq != acked+1 {
						rt.Fatalf("batch %d after %d with %d acknowledged", seq, prev, acked)
					}
				}
			},
			"ack": func(rt *rapid.T) {
				seq := rapid.Uint64Range(0, max(w.after(), 1)).Draw(rt, "seq")
				again := rapid.Bool().Draw(rt, "again")
				if got := w.ack(seq, again, now); got != (seq > acked) {
					rt.Fatalf("advanced %v from %d by %d", got, acked, seq)
				}
				acked = max(acked, seq)
			},
			"hold": func(rt *rapid.T) {
				seq := rapid.Uint64Range(0, w.after()).Draw(rt, "seq")
				was := max(acked, w.held)
				if got := w.hold(seq, t0); got != (seq > was) || max(acked, w.held) != max(was, seq) {
					rt.Fatalf("advanced %v from %d by %d, held %d", got, was, seq, w.held)
				}
			},
			"time": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(rt, "ms")) * time.Millisecond)
				if w.expire(now) && len(w.flight) != 0 {
					rt.Fatal("expired but in flight")
				}
			},
			"": func(rt *rapid.T) {
				size := 0
				for i, s := range w.flight {
					size += s.size
					if s.seq <= acked || i > 0 && s.seq <= w.flight[i-1].seq {
						rt.Fatalf("in flight %v with %d acknowledged", w.flight, acked)
					}
				}
				if w.held != 0 && (w.held <= acked || len(w.flight) > 0 && w.flight[0].seq <= w.held) {
					rt.Fatalf("held %d with %d acknowledged and %v in flight", w.held, acked, w.flight)
				}
				waits := len(w.flight) > 0 || w.held > 0
				if w.acked != acked || size != w.bytes || len(w.flight) > maxFlight || waits == w.deadline.IsZero() {
					rt.Fatalf("window %+v", w)
				}
			},
		})
	})
}
