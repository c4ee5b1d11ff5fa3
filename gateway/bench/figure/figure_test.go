package figure

import (
	"strings"
	"testing"
)

func TestLinesSayWhichWayAFigureIsWell(t *testing.T) {
	var out strings.Builder
	err := Lines(&out, []Figure{
		AtMost("delay", 12.34, "ms", 20, 1, ""),
		AtMost("delay", 20.01, "ms", 20, 2, ""),
		AtLeast("share", 98.5, "%", 98.5, 1, ""),
		AtLeast("rate", 999999, "/s", 1e6, 0, ""),
	})
	want := "figure delay 12.3 ms <= 20 ok\n" +
		"figure delay 20.01 ms <= 20 short\n" +
		"figure share 98.5 % >= 98.5 ok\n" +
		"figure rate 999999 /s >= 1000000 short\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.5: 3, 0.8: 4, 0.99: 5, 1: 5} {
		if got := Quantile(values, q); got != want {
			t.Errorf("quantile %g of %v is %g, want %g", q, values, got, want)
		}
	}
}
