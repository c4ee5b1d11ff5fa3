package hub

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

func shelfRecord(t *testing.T, seq uint64, epoch string, readings int) journal.Record {
	t.Helper()
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	all := make([]facility.Reading, readings)
	for i := range all {
		all[i] = facility.Reading{
			Point: facility.PointID{Device: "meter-" + epoch, Quantity: "power"}, Time: at.Add(time.Duration(i) * time.Millisecond),
			Value: float64(seq), Quality: facility.Good,
		}
	}
	batch, err := payload.AppendReadings(nil, all)
	if err != nil {
		t.Fatal(err)
	}
	h := payload.Header{Site: "garden", Gateway: "gw1", Stream: facility.Telemetry, Epoch: "e", Seq: seq}
	return journal.Record{Seq: seq, Epoch: epoch, At: at, Body: payload.Wrap(h, batch)}
}

// Consumers at one place are given the same facts, wherever each of them is.
func TestShelf(t *testing.T) {
	var s shelf
	check := func(r journal.Record) fact {
		t.Helper()
		f, err := s.decode(r)
		if err != nil || len(f.readings) == 0 || f.readings[0].Value != float64(r.Seq) || f.readings[0].Point.Device != "meter-"+r.Epoch {
			t.Fatalf("record %d of %s: %+v, %v", r.Seq, r.Epoch, f, err)
		}
		return f
	}
	old, newer := shelfRecord(t, 1, "a", 2), shelfRecord(t, 1+shelved, "a", 2)
	first := check(old)
	if again := check(old); &again.readings[0] != &first.readings[0] {
		t.Error("it was decoded twice")
	}
	kept := check(newer)
	check(old) // by one that is far behind
	if again := check(newer); &again.readings[0] != &kept.readings[0] {
		t.Error("one that is behind took the place of those in front")
	}
	check(shelfRecord(t, 1, "b", 2)) // the numbers began anew
	large := shelfRecord(t, 2, "a", 2000)
	if len(large.Body) <= shelvedBytes {
		t.Fatalf("%d bytes are no large record", len(large.Body))
	}
	if one, two := check(large), check(large); &one.readings[0] == &two.readings[0] {
		t.Error("a large record is kept in memory")
	}
	broken := journal.Record{Seq: 3, Epoch: "a", Body: bytes.Repeat([]byte("x"), 10)}
	for range 2 {
		if _, err := s.decode(broken); err == nil {
			t.Error("a broken record was decoded")
		}
	}
}

// What was decoded when it came is not decoded again, by whoever reads that very
// record, once it is read; any other record is.
func TestShelfKnowsWhatComes(t *testing.T) {
	var s shelf
	expect := func(r journal.Record) content {
		t.Helper()
		h, readings, taps, err := payload.Decode(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		c := content{h, readings, taps}
		s.expect(r.Body, c)
		return c
	}
	same := func(r journal.Record, c content) bool {
		t.Helper()
		f, err := s.decode(r)
		if err != nil || f.readings[0].Value != float64(r.Seq) || f.source != "garden/gw1/telemetry/e" || f.seq != r.Seq {
			t.Fatalf("record %d: %+v, %v", r.Seq, f, err)
		}
		return &f.readings[0] == &c.readings[0]
	}
	r := shelfRecord(t, 1, "a", 3)
	known := expect(r)
	for range 2 { // consumers
		if !same(r, known) {
			t.Error("what was expected is decoded")
		}
	}
	copied := shelfRecord(t, 2, "a", 3)
	known = expect(copied)
	copied.Body = bytes.Clone(copied.Body) // as it is read from the file
	if same(copied, known) {
		t.Error("other memory is taken for what was expected")
	}
	first := shelfRecord(t, 3, "a", 3)
	known = expect(first)
	for seq := range uint64(shelved) {
		expect(shelfRecord(t, 4+seq, "a", 3))
	}
	if same(first, known) {
		t.Error("what has not come for long is kept")
	}
	s.expect(nil, content{})
	if n := len(s.coming); n > shelved {
		t.Errorf("%d records are expected, want at most %d", n, shelved)
	}
}

func TestShelfServesConsumersAtTheSameTime(t *testing.T) {
	var s shelf
	records := make([]journal.Record, 3*shelved)
	for i := range records {
		records[i] = shelfRecord(t, uint64(i+1), "a", 3)
	}
	errs := make([]error, 3)
	var all sync.WaitGroup
	for c := range errs {
		all.Go(func() {
			for _, r := range records {
				f, err := s.decode(r)
				if err != nil || f.readings[0].Value != float64(r.Seq) {
					errs[c] = fmt.Errorf("record %d: %+v, %w", r.Seq, f, err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
