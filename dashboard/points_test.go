package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/facility"
)

// A bit that changes is on the pages at once; what is only measured waits for the
// beat, and so do changes that come in a rush.
func TestChangesDoNotWaitForTheBeat(t *testing.T) {
	f := newFake(time.Now)
	o := Options{
		Estate: testEstate(t), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		People: f, Orders: f, Desk: f, Watch: f, Live: f, History: f,
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHub(newEstate(o.Estate, ""), o, &register{people: f, now: o.Now})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.run(ctx)
		}()
		c, err := h.enter(ctx, facility.Person{Role: facility.RoleAdmin}, "hash", func() {})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		set := func(id facility.PointID, value float64) {
			f.tell(Event{Readings: []facility.Reading{{Point: id, Time: time.Now(), Value: value, Quality: facility.Good}}})
			synctest.Wait()
		}
		// told takes the frames of points that are in the client's queue.
		told := func(after time.Duration) (values []float64) {
			<-time.After(after - time.Since(start))
			synctest.Wait()
			for {
				select {
				case frame := <-c.queue:
					data, ok := bytes.CutPrefix(frame, []byte("event: points\ndata: "))
					if !ok {
						continue
					}
					var shape pointsEventShape
					if err := json.Unmarshal(data, &shape); err != nil {
						t.Fatal(err)
					}
					for _, p := range shape.Points {
						values = append(values, *p.Value)
					}
				default:
					return values
				}
			}
		}
		expect := func(after time.Duration, what string, want ...float64) {
			t.Helper()
			got := told(after)
			if len(got) != len(want) {
				t.Fatalf("%s: the page was told %v, want %v", what, got, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s: the page was told %v, want %v", what, got, want)
				}
			}
		}
		const ms = time.Millisecond
		expect(10*ms, "at first")
		set(pressure, 3)
		expect(20*ms, "a measured value waits")
		set(fault, 1)
		if got := told(20 * ms); len(got) != 2 { // in no order
			t.Errorf("a change takes along what waits: the page was told %v", got)
		}
		set(fault, 0)
		set(fault, 1)
		expect(119*ms, "a rush rests")
		expect(120*ms, "the last of a rush", 1)
		set(fault, 1)
		set(pressure, 4)
		expect(249*ms, "said again is no change")
		if got := told(250 * ms); len(got) != 2 {
			t.Errorf("on the beat the page was told %v", got)
		}
		cancel()
		h.left(c)
		<-done
	})
}
