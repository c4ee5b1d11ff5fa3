package hub_test

import (
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// TestRulesSayThatTheyStillLearn: a rule that asks what is usual is named as one that does
// not judge yet until enough was seen, over restarts too.
func TestRulesSayThatTheyStillLearn(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.stop()
		h.learn = rules.Learners(time.UTC)
		h.rules = append(h.rules, rules.Rule{
			ID: "pressure-unusual", Name: facility.Text{ZH: "压力异常", EN: "pressure unusual"}, Priority: facility.P3,
			For: rules.Selector{Kinds: []string{"pump"}}, When: "anomaly(outlet_pressure)",
		})
		h.start()
		begun := h.now().Add(-48 * time.Hour).Truncate(5 * time.Minute)
		hear := func(from, to time.Duration) {
			t.Helper()
			var all []facility.Reading
			for at := from; at < to; at += 5 * time.Minute {
				r := h.bar(3 + 0.01*float64(at/(5*time.Minute)*7%10))
				r.Time = begun.Add(at).UTC()
				all = append(all, r)
			}
			h.tell(all...)
		}
		learns := func(when string, want ...rules.Learning) {
			t.Helper()
			h.pass(2 * time.Second)
			if got := h.hub.Judgement().Learning; !slices.Equal(got, want) {
				t.Errorf("%s: %v learn, want %v", when, got, want)
			}
		}
		pressure := rules.Learning{Rule: "pressure-unusual", Devices: 1}
		learns("nothing is read", pressure)
		hear(0, 10*time.Hour)
		learns("after ten hours", pressure)
		h.stop()
		h.start()
		learns("after a restart", pressure)
		hear(10*time.Hour, 20*time.Hour)
		learns("after twenty hours")
		h.stop()
		h.start()
		learns("after another restart")
	})
}
