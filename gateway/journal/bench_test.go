package journal

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkAppend compares one durable append at a time, and eight at the same
// time, with a bare loop of write and fsync of as many bytes on the same disk.
func BenchmarkAppend(b *testing.B) {
	body := testBody(1, 8192)
	bare := func() time.Duration {
		f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		const n = 200
		start := time.Now()
		for range n {
			if _, err := f.Write(body); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start) / n
	}
	for _, writers := range []int{1, 8} {
		b.Run(map[int]string{1: "alone", 8: "eight"}[writers], func(b *testing.B) {
			j := open(b, filepath.Join(b.TempDir(), "j"), Options{MaxBytes: 1 << 30, Evict: true})
			fsync := bare()
			b.SetParallelism(writers)
			b.SetBytes(int64(len(body)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := j.Append(context.Background(), body); err != nil {
						b.Error(err)
						return
					}
				}
			})
			each := b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(float64(each)/float64(fsync), "fsyncs/append")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	j := open(b, filepath.Join(b.TempDir(), "j"), Options{})
	const records = 1000
	recs := make([][]byte, records)
	for i := range recs {
		recs[i] = testBody(uint64(i), 8192)
	}
	if _, err := j.Append(context.Background(), recs...); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(records * 8192)
	for b.Loop() {
		for last := uint64(0); last < records; {
			got, err := j.Read(last, 256<<10)
			if err != nil {
				b.Fatal(err)
			}
			last = got[len(got)-1].Seq
		}
	}
}
