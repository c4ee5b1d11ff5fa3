package rules

import "slices"

// Learning is a rule that does not judge all of its devices yet: it asks what is usual
// of something of which too little was seen.
type Learning struct {
	Rule    string `json:"rule"`
	Devices int    `json:"devices"` // that it does not judge yet
}

// Learning says which rules do not judge all of their devices yet, in the order of the
// rules. It changes nothing.
func (e *Engine) Learning() []Learning {
	var out []Learning
	for _, i := range e.instances {
		t, ok := i.test.(*conditionTest)
		if !ok || !slices.ContainsFunc(t.feeds, unsure) {
			continue
		}
		if n := len(out); n == 0 || out[n-1].Rule != i.rule.ID {
			out = append(out, Learning{Rule: i.rule.ID})
		}
		out[len(out)-1].Devices++
	}
	return out
}

func unsure(f feed) bool {
	w, ok := f.(*watch)
	return ok && !w.verdict.Sure
}
