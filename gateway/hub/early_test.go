package hub_test

import (
	"testing"
	"testing/synctest"
	"time"

	"gengfu/facility"
	"gengfu/gateway/payload"
)

// encode makes a batch of readings.
func (h *house) encode(readings ...facility.Reading) []byte {
	h.t.Helper()
	body, err := payload.AppendReadings(nil, readings)
	h.must(err)
	return body
}

// TestFactsAheadOfTheJournal: an alarm reaches people while the disk takes nothing,
// and counts once when its facts come through the journal in the end.
func TestFactsAheadOfTheJournal(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"by a right clock": 0, "by one that is in 1970": -56 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			interrupted(t, func(t *testing.T, h *house, interrupt func()) {
				var sent [][]byte
				for n := range 4 {
					r := h.bit(float64((n + 1) % 2))
					r.Time = r.Time.Add(ahead)
					sent = append(sent, h.encode(r))
					for range 2 { // the gateway sends it again
						if !h.hub.Ahead(h.head(uint64(n+1)), []facility.Reading{r}, nil) {
							t.Fatal("not taken")
						}
						synctest.Wait()
					}
					if got := h.hub.Latest()[fault].Value; got != r.Value {
						t.Errorf("the board shows %v", got)
					}
					h.pass(time.Second)
				}
				if a := h.alarm(); a.Count != 2 || a.State != facility.AlarmReturned {
					t.Errorf("the alarm is %+v", a)
				}
				interrupt()
				for n, body := range sent {
					h.appendAs(uint64(n+1), body)
					h.pass(time.Second)
				}
				interrupt()
				h.appendAs(5, h.encode(h.bit(1)))
				h.pass(time.Second)
				if a, o := h.alarm(), h.order(); a.Count != 3 || o.Count != 3 || h.course(a) != "raise clear recur clear recur" {
					t.Errorf("counted %d and %d times: %s", a.Count, o.Count, h.course(a))
				}
				rs, err := h.history.Readings(t.Context(), facility.Point{ID: fault}, "pump", evening.Add(-time.Hour), evening.Add(time.Hour))
				h.must(err)
				if len(rs) != 5 {
					t.Errorf("%d readings in the history", len(rs))
				}
			})
		})
	}
}

// TestATapAheadOfTheJournal counts for its round once.
func TestATapAheadOfTheJournal(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		start := evening.Add(10 * time.Minute)
		h.until(start.Add(time.Minute))
		tap := facility.Tap{
			ID: "0198c0de-0000-7000-8000-000000000001", Source: facility.TapReader, Reader: "reader-gate",
			Credential: guard.Badges[0], TappedAt: h.now().UTC(), ReceivedAt: h.now().UTC(),
		}
		if !h.hub.Ahead(h.head(1), nil, []facility.Tap{tap}) {
			t.Fatal("not taken")
		}
		h.pass(time.Second)
		interrupt()
		h.appendAs(1, payload.AppendTap(nil, tap))
		h.phone("roof", start.Add(2*time.Minute))
		h.pass(time.Second)
		if r := h.round(); verdicts(r) != "completed gate:on_time roof:on_time" {
			t.Errorf("the round is %s", verdicts(r))
		}
		taps, err := h.ledger.Taps(t.Context(), evening, evening.Add(time.Hour))
		h.must(err)
		if len(taps) != 2 {
			t.Errorf("%d taps are kept", len(taps))
		}
	})
}

// TestWhatIsInTheJournalComesFirst, though it is not judged yet when something
// comes past it.
func TestWhatIsInTheJournalComesFirst(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.append(h.encode(h.bit(1)))
		last := h.bit(0)
		last.Time = last.Time.Add(time.Second)
		if !h.hub.Ahead(h.head(2), []facility.Reading{last}, nil) {
			t.Fatal("not taken")
		}
		synctest.Wait()
		if a := h.alarm(); h.course(a) != "raise clear" {
			t.Errorf("the alarm's history is %q", h.course(a))
		}
	})
}

// TestABusyJudgeIsNotWaitedFor: what it cannot take is brought again.
func TestABusyJudgeIsNotWaitedFor(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		hold, held := make(chan struct{}), make(chan error, 1)
		go func() { held <- h.hub.Hold(hold) }()
		synctest.Wait()
		taken := 0
		for n := range 100 {
			if h.hub.Ahead(h.head(uint64(n+1)), []facility.Reading{h.bit(1)}, nil) {
				taken++
			}
		}
		close(hold)
		h.must(<-held)
		synctest.Wait()
		if taken == 0 || taken > 20 || h.hub.Latest()[fault].Value != 1 {
			t.Errorf("%d taken of 100, the board shows %+v", taken, h.hub.Latest()[fault])
		}
	})
}
