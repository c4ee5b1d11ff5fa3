package intake

import (
	"context"
	"testing"
	"time"

	"gengfu/gateway/broker"
	"gengfu/gateway/payload"
)

func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		seq, prev, mark, first uint64
		want                   verdict
		missing                uint64
	}{
		"the next one":                         {seq: 8, prev: 7, mark: 7, want: take},
		"the next one, all before it acked":    {seq: 8, prev: 0, mark: 7, want: take},
		"a repeated one":                       {seq: 7, prev: 6, mark: 7, want: duplicate},
		"an old one":                           {seq: 2, prev: 1, mark: 7, want: duplicate},
		"one too early":                        {seq: 9, prev: 8, mark: 7, want: gap},
		"the first of all":                     {seq: 1, prev: 0, mark: 0, want: take},
		"the second of all":                    {seq: 2, prev: 1, mark: 0, want: gap},
		"a new epoch that does not begin at 1": {seq: 500, prev: 0, mark: 0, want: take},
		"after an eviction":                    {seq: 12, prev: 0, mark: 7, want: take, missing: 4},
		"after a damaged one":                  {seq: 9, prev: 7, mark: 7, want: take, missing: 1},
		"several that go together":             {seq: 12, prev: 7, first: 8, mark: 7, want: take},
		"several after an eviction":            {seq: 12, prev: 0, first: 10, mark: 7, want: take, missing: 2},
		"several of which some are here":       {seq: 12, prev: 0, first: 8, mark: 9, want: gap},
		"several that are all here":            {seq: 12, prev: 7, first: 8, mark: 12, want: duplicate},
	} {
		v, missing := judge(payload.Header{Seq: tt.seq, Prev: tt.prev, First: tt.first}, tt.mark)
		if v != tt.want || missing != tt.missing {
			t.Errorf("%s: verdict %d, missing %d", name, v, missing)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	ctx := t.Context()
	q := newQueue()
	big := broker.Message{Payload: make([]byte, queueBytes+1)}
	if !q.put(ctx, big, 0) {
		t.Fatal("an empty queue refused")
	}
	if q.put(ctx, broker.Message{}, time.Millisecond) {
		t.Fatal("took more than its bytes")
	}
	if got := q.take(ctx, nil); len(got) != 1 || q.bytes.Load() != 0 {
		t.Fatalf("%d messages, %d bytes left", len(got), q.bytes.Load())
	}
	for range queueLen {
		if !q.put(ctx, broker.Message{Payload: []byte("x")}, time.Second) {
			t.Fatal("refused below its length")
		}
	}
	if q.put(ctx, broker.Message{Payload: []byte("x")}, time.Millisecond) {
		t.Fatal("took more than its length")
	}
	waiting := make(chan bool)
	go func() { waiting <- q.put(ctx, broker.Message{Payload: []byte("y")}, time.Minute) }()
	n := len(q.take(ctx, nil))
	if !<-waiting {
		t.Error("a message was refused though there was room in time")
	}
	for n < queueLen+1 {
		n += len(q.take(ctx, nil))
	}
	if q.bytes.Load() != 0 {
		t.Errorf("%d bytes in an empty queue", q.bytes.Load())
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if q.take(cancelled, nil) != nil {
		t.Error("took something from nothing")
	}
}

func TestMarkKeys(t *testing.T) {
	k := streamKey{"s", "g", "urgent"}
	if got, epoch, ok := parseMark(k.mark("e/1")); !ok || got != k || epoch != "e/1" {
		t.Error(got, epoch, ok)
	}
	if _, _, ok := parseMark(k.dayMark("e")); ok {
		t.Error("took the day of a mark for a mark")
	}
	if _, _, ok := parseMark("a/b"); ok {
		t.Error("accepted half a mark")
	}
}
