package rules_test

import (
	"fmt"
	"testing"
	"time"

	"gengfu/rules"
)

// TestARegisterThatTremblesCountsNothing has a meter whose register goes to and fro in its
// last digit while nothing flows, as the net register of an ultrasonic meter does, for
// a night and a day; then a litre flows each minute, and then it turns back for good.
func TestARegisterThatTremblesCountsNothing(t *testing.T) {
	meter := rules.Selector{Devices: []string{"main-water"}}
	e := compile(t,
		rule("grown", rules.Rule{For: meter, When: "increase(total, 1h) > 0.03 m3"}),
		rule("fast", rules.Rule{For: meter, When: "rate(total, 1h) > 0.03 m3/h"}),
		rule("night", rules.Rule{For: meter, When: "night_minimum(total) > 0.03 m3/h"}),
		rule("slope", rules.Rule{For: meter, Rate: &rules.Rate{Quantity: "total", Over: time.Hour, Above: new(0.03)}}),
	)
	at, total := time.Duration(0), 1000.0
	says := func(v float64) []string { return script(t, e, fmt.Sprintf("%s main-water/total=%v", at, v)) }
	for ; at < 30*time.Hour; at += time.Minute {
		if got := says(total + []float64{0, 0.01, -0.01}[int(at/time.Minute)%3]); got != nil {
			t.Fatal("while nothing flows:", got)
		}
	}
	var got []string
	for ; at < 32*time.Hour; at += time.Minute {
		total += 0.001
		got = append(got, says(total)...)
	}
	wantLines(t, got, []string{
		"30h40m0s raise grown/main-water unacknowledged", "30h40m0s raise fast/main-water unacknowledged", "30h40m0s raise slope/main-water unacknowledged",
	})
	got = nil
	total = 900 // it was set back
	for ; at < 34*time.Hour; at += time.Minute {
		total += 0.001
		got = append(got, says(total)...)
	}
	if got != nil {
		t.Error("after it was set back:", got)
	}
}
