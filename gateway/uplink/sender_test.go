package uplink

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// newFlow is a flow whose connection is lost, over a journal with so many batches.
func newFlow(t *testing.T, batches int) (*flow, context.Context) {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "j"), journal.Options{Cursors: []string{Cursor}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := New(Options{
		Site: "s", Gateway: "g", Root: "r", URL: "tcp://127.0.0.1:1",
		Streams: map[facility.Stream]*journal.Journal{facility.Telemetry: j}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range batches {
		body, err := payload.AppendReadings(nil, []facility.Reading{{
			Point: facility.PointID{Device: "meter", Quantity: "energy"}, Time: time.Unix(1_800_000_000, 0), Quality: facility.Good,
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	lost, lose := context.WithCancelCause(t.Context())
	lose(broker.ErrLost)
	return &flow{sender: u.senders[0], conn: &broker.Connection{}}, lost
}

// TestAcknowledgedAfterItCouldNotBeSent: the connection was lost while a batch was given
// to it, and yet the batch arrived. The hub's word for it, which comes on the next
// connection, is not taken for that of a hub that knows of another journal: that would
// give all that was made since the start other names, and it would be taken twice.
func TestAcknowledgedAfterItCouldNotBeSent(t *testing.T) {
	f, lost := newFlow(t, 3)
	epoch := f.journal.Epoch()
	if err := f.fill(lost); !errors.Is(err, broker.ErrLost) {
		t.Fatalf("sending over a lost connection: %v", err)
	}
	next := &flow{sender: f.sender, conn: f.conn}
	next.under, next.epoch = next.lanes(), epoch
	if err := next.take(payload.Ack{Stream: facility.Telemetry, Epoch: epoch, Seq: 3}); err != nil {
		t.Fatal(err)
	}
	if got := f.journal.Epoch(); got != epoch {
		t.Errorf("the run %s became %s", epoch, got)
	}
	if got := f.journal.Cursor(Cursor); got != 3 {
		t.Errorf("of 3 batches that the hub has, %d are off the journal", got)
	}
}

// TestSentAgainWithMore: a batch that goes again together with those behind it counts as
// sent again, on another connection too.
func TestSentAgainWithMore(t *testing.T) {
	f, _ := newFlow(t, 0)
	for i, c := range []struct {
		first, last uint64
		want        int64
	}{{1, 1, 0}, {2, 4, 0}, {3, 3, 1}, {4, 9, 2}, {10, 10, 2}} {
		f.noteSent("one", c.first, c.last)
		if f.resent != c.want {
			t.Errorf("%d: %d are sent again, want %d", i, f.resent, c.want)
		}
	}
	f.noteSent("other", 3, 3)
	if f.resent != 2 || f.highest() != 10 {
		t.Errorf("of another run: %d again, up to %d", f.resent, f.highest())
	}
}
