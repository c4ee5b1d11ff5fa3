package journal

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkReadings appends batches of 500 readings, 40 KB, as a collector makes
// them: one after the other, each durable (urgent), and grouped (telemetry).
func BenchmarkReadings(b *testing.B) {
	const readings, size = 500, 40_000
	body := testBody(1, size)
	for name, o := range map[string]Options{
		"urgent":    {MaxBytes: 1 << 30, Evict: true},
		"telemetry": {MaxBytes: 1 << 30, Evict: true, Sync: 200 * time.Millisecond, Memory: 16 << 20},
	} {
		b.Run(name, func(b *testing.B) {
			j := open(b, filepath.Join(b.TempDir(), "j"), o)
			b.SetBytes(size)
			for b.Loop() {
				for {
					_, err := j.Append(context.Background(), body)
					if err == nil {
						break
					}
					<-j.Grown() // ahead of the disk by all that memory may hold
				}
			}
			if err := j.Wait(context.Background(), uint64(b.N)-1); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)*readings/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
