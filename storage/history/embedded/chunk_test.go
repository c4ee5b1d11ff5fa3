package embedded

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"gengfu/facility"
)

var sameSamples = cmp.Options{cmp.AllowUnexported(sample{}, entry{}), cmpopts.EquateEmpty()}

// drawSamples makes ordered samples of all qualities with values of a meter, a
// float register and of chance.
func drawSamples(t *rapid.T) []sample {
	n := rapid.IntRange(1, 500).Draw(t, "count")
	at := rapid.Int64Range(0, 4e12).Draw(t, "start")
	value := rapid.OneOf(
		rapid.Float64Range(-1e300, 1e300),
		rapid.Map(rapid.Float32Range(-1e6, 1e6), func(f float32) float64 { return float64(f) }),
		rapid.Map(rapid.IntRange(-1e9, 1e9), func(i int) float64 { return float64(i) / 100 }),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 1 << 53, 5e-324, 0.1, 1e-6, 123456.789012}),
	)
	reason := rapid.SampledFrom([]facility.Reason{"", facility.NoAnswer, facility.SensorFault, "断线"})
	out := make([]sample, n)
	for i := range out {
		s := sample{t: at, quality: rapid.SampledFrom([]facility.Quality{facility.Good, facility.Good, facility.Uncertain, facility.Bad}).Draw(t, "quality")}
		if s.quality != facility.Bad {
			s.value = value.Draw(t, "value")
		}
		if s.quality != facility.Good {
			s.reason = reason.Draw(t, "reason")
		}
		out[i] = s
		at += rapid.Int64Range(1, 100_000).Draw(t, "later")
	}
	return out
}

func TestChunkKeepsEveryBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSamples(t)
		got, err := new(decoder).decode(nil, 7, encode(7, want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameSamples); diff != "" {
			t.Fatalf("decoded (-want +got):\n%s", diff)
		}
		for i := range want {
			if math.Float64bits(want[i].value) != math.Float64bits(got[i].value) {
				t.Fatalf("value %d is %x, want %x", i, math.Float64bits(got[i].value), math.Float64bits(want[i].value))
			}
		}
	})
}

func TestLogKeepsEveryBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []entry
		for _, s := range drawSamples(t) {
			want = append(want, entry{series: rapid.Int64Range(1, 1e6).Draw(t, "series"), sample: s})
		}
		slices.Reverse(want) // times need not be in order
		got, err := decodeLog(encodeLog(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameSamples); diff != "" {
			t.Fatalf("decoded (-want +got):\n%s", diff)
		}
	})
}

func TestForms(t *testing.T) {
	tests := []struct {
		values []float64
		want   form
	}{
		{[]float64{1, 2, 3}, 0},
		{[]float64{230.1, 230, 229.9}, 1},
		{[]float64{1, 1.25, 1.5}, 2},
		{[]float64{0.000001}, 6},
		{[]float64{0.0000001}, float64s},
		{[]float64{math.Pi, 0.1}, float64s},
		{[]float64{0.1, 1e300}, float64s},
		{[]float64{float64(float32(230.1))}, float32s},
		{[]float64{1.5, float64(float32(230.1))}, float32s},
		{[]float64{math.Copysign(0, -1), 1}, float32s},
	}
	for _, test := range tests {
		var samples []sample
		for i, v := range test.values {
			samples = append(samples, sample{t: int64(i), value: v, quality: facility.Good})
		}
		if got := formOf(samples); got != test.want {
			t.Errorf("form of %v: %d, want %d", test.values, got, test.want)
		}
	}
}

func TestCut(t *testing.T) {
	every := func(count int, period int64) []sample {
		out := make([]sample, count)
		for i := range out {
			out[i] = sample{t: int64(i) * period}
		}
		return out
	}
	tests := []struct {
		name    string
		samples []sample
		want    []int
	}{
		{"nothing", nil, nil},
		{"one", every(1, 1), []int{1}},
		{"each second", every(15_000, 1000), []int{7200, 7200, 600}},
		{"each ten seconds", every(1500, 10_000), []int{721, 779}},
		{"each minute", every(600, 60_000), []int{256, 256, 88}},
		{"a few behind a full one", every(300, 60_000), []int{300}},
		{"each millisecond", every(20_000, 1), []int{7200, 7200, 5600}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []int
			var all []sample
			for _, part := range cut(test.samples) {
				got, all = append(got, len(part)), append(all, part...)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("parts of %v, want %v", got, test.want)
			}
			if !slices.Equal(all, test.samples) {
				t.Error("the parts are not the whole")
			}
		})
	}
}

func FuzzDecodeChunk(f *testing.F) {
	for _, samples := range [][]sample{
		{{t: 1, value: 2.5, quality: facility.Good}},
		{{t: 1, quality: facility.Bad, reason: facility.NoAnswer}, {t: 2, value: 1, quality: facility.Uncertain}},
	} {
		data := encode(7, samples)
		f.Add(data[:len(data)-checksumLen])
	}
	f.Add([]byte{chunkVersion, 7, 0, 2, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		samples, err := new(decoder).decode(nil, 7, sealed(slices.Clone(data))) // or nothing else would be tried
		if err != nil || len(samples) == 0 {
			return
		}
		for _, s := range samples {
			if s.quality > facility.Good {
				t.Fatalf("a sample of quality %d", s.quality)
			}
		}
	})
}

func FuzzDecodeLog(f *testing.F) {
	whole := encodeLog([]entry{{series: 7, sample: sample{t: 5, value: 1, quality: facility.Good}}, {series: 8, sample: sample{t: 6, reason: "x"}}})
	f.Add(whole[:len(whole)-checksumLen])
	f.Add([]byte{logVersion, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeLog(sealed(slices.Clone(data)))
		if err != nil {
			return
		}
		again, err := decodeLog(encodeLog(entries))
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		same := func(a, b entry) bool {
			return a.series == b.series && a.sample.t == b.sample.t && a.sample.quality == b.sample.quality &&
				a.sample.reason == b.sample.reason && math.Float64bits(a.sample.value) == math.Float64bits(b.sample.value)
		}
		if !slices.EqualFunc(entries, again, same) {
			t.Fatalf("%v became %v", entries, again)
		}
	})
}

func TestOrderAndMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sample {
			s := sample{t: rapid.Int64Range(0, 30).Draw(t, "t"), quality: facility.Quality(rapid.IntRange(0, 2).Draw(t, "q"))}
			if s.quality != facility.Bad {
				s.value = float64(rapid.IntRange(0, 9).Draw(t, "v"))
			}
			return s
		}), 0, 40)
		a, b := draw.Draw(t, "first"), draw.Draw(t, "then")
		want := map[int64]sample{}
		for _, s := range slices.Concat(a, b) {
			if old, ok := want[s.t]; ok {
				s = s.over(old)
			}
			want[s.t] = s
		}
		got := merge(order(slices.Clone(a)), order(slices.Clone(b)))
		if len(got) != len(want) {
			t.Fatalf("%d samples, want %d", len(got), len(want))
		}
		for i, s := range got {
			if i > 0 && got[i-1].t >= s.t {
				t.Fatalf("not in order: %v", got)
			}
			if s != want[s.t] {
				t.Fatalf("at %d stands %v, want %v", s.t, s, want[s.t])
			}
		}
	})
}
