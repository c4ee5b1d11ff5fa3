package uplink

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketKeepsItsRate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := float64(rapid.IntRange(100, 1_000_000).Draw(rt, "rate"))
		b := bucket{rate: rate}
		now, sent := t0, 0
		most := 0
		for range rapid.IntRange(1, 200).Draw(rt, "batches") {
			size := rapid.IntRange(1, 50_000).Draw(rt, "size")
			most = max(most, size)
			if wait := b.wait(now); wait > 0 {
				now = now.Add(wait)
				if again := b.wait(now); again > time.Millisecond {
					rt.Fatalf("after waiting %v it wants %v more", wait, again)
				}
			}
			b.take(size)
			sent += size
			if allowed := rate*(burst+now.Sub(t0).Seconds()) + float64(most) + 1; float64(sent) > allowed {
				rt.Fatalf("%d bytes in %v at %v per second", sent, now.Sub(t0), rate)
			}
		}
	})
	var free bucket
	free.take(1 << 30)
	if free.wait(t0) != 0 {
		t.Error("no limit limits")
	}
}
