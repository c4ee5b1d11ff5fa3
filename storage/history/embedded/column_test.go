package embedded

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestColumnKeepsEveryNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.OneOf(
			rapid.Int64Range(-20, 20), rapid.Int64Range(-100_000, 100_000), rapid.Int64(),
			rapid.SampledFrom([]int64{0, 10_000, math.MaxInt64, math.MinInt64}))
		numbers := rapid.SliceOfN(step, 0, 300).Draw(t, "steps")
		for i := 1; i < len(numbers); i++ {
			numbers[i] += numbers[i-1]
		}
		behind := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "behind")
		got, rest, err := readColumn(nil, append(appendColumn(nil, numbers), behind...), len(numbers))
		if err != nil || !slices.Equal(got, numbers) || !slices.Equal(rest, behind) {
			t.Fatalf("%v of %v, behind it %v of %v: %v", got, numbers, rest, behind, err)
		}
	})
}

// One number that is far from its neighbours must not make them long.
func TestColumnSizes(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name string
		next func(i int) int64
		bits float64 // of a number, at most
	}{
		{"even steps", func(i int) int64 { return int64(i) * 10_000 }, 1.2},
		{"a poller's times", func(i int) int64 { return int64(i)*10_000 + chance.Int64N(15) }, 5.2},
		{"a register", func(i int) int64 { return int64(i)*2 + chance.Int64N(2) }, 2.2},
		{"a value among many that are the same", func(i int) int64 { return int64(i/100%2) * 1_000_000 }, 3},
		{"chance", func(int) int64 { return chance.Int64N(1 << 20) }, 22},
	} {
		numbers := make([]int64, 1000)
		for i := range numbers {
			numbers[i] = test.next(i)
		}
		if bits := float64(8*len(appendColumn(nil, numbers))) / float64(len(numbers)); bits > test.bits {
			t.Errorf("%s: %.1f bits each, at most %.1f", test.name, bits, test.bits)
		}
	}
}
