package rules

import (
	"fmt"
	"strings"
	"time"
)

// Condition says in a line when the rule raises, as its text has it or near to that.
func (r Rule) Condition() string {
	switch {
	case r.NoData != nil && len(r.NoData.Quantities) > 0:
		return fmt.Sprintf("no_data(%s) %s", strings.Join(r.NoData.Quantities, ", "), short(r.NoData.After))
	case r.NoData != nil:
		return "no_data " + short(r.NoData.After)
	case r.Rate != nil:
		per := r.Rate.Per
		if per == 0 {
			per = DefaultPer
		}
		sign, limit := ">", r.Rate.Above
		if limit == nil {
			sign, limit = "<", r.Rate.Below
		}
		if limit == nil {
			return ""
		}
		return fmt.Sprintf("rate(%s, %s) %s %g / %s", r.Rate.Quantity, short(r.Rate.Over), sign, *limit, short(per))
	}
	return r.When
}

// short writes a duration without what is zero of it: "15m".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
