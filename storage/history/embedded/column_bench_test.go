package embedded

import (
	"math/rand/v2"
	"testing"

	"gengfu/facility"
)

// twoHours is a chunk of a register that is read each ten seconds.
func twoHours() []sample {
	chance := rand.New(rand.NewPCG(1, 2))
	samples := make([]sample, 721)
	for i := range samples {
		at := 1767225600000 + int64(i)*10_000 + int64(chance.IntN(15))
		samples[i] = sample{t: at, value: float64(100_000+i+chance.IntN(3)) / 100, quality: facility.Good}
	}
	return samples
}

func BenchmarkDecode(b *testing.B) {
	samples := twoHours()
	data := encode(1, samples)
	var d decoder
	var out []sample
	for b.Loop() {
		var err error
		if out, err = d.decode(out[:0], 1, data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/721, "ns/sample")
	b.ReportMetric(float64(len(data))/721, "B/sample")
}

func BenchmarkEncode(b *testing.B) {
	samples := twoHours()
	for b.Loop() {
		encode(1, samples)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/721, "ns/sample")
}
