package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gengfu/facility"
)

// value is what a point shows from a time on.
type value struct {
	amount  float64
	perHour float64 // by how much it moves
	quality facility.Quality
	silent  bool // it is not read any more
	since   time.Duration
}

// valueOf reads what is given for a point.
func valueOf(given any) (value, *facility.Problem) {
	switch g := given.(type) {
	case map[string]any:
		return moving(g)
	case bool:
		if g {
			return value{amount: 1, quality: facility.Good}, nil
		}
		return value{quality: facility.Good}, nil
	case string:
		switch word, rest, _ := strings.Cut(g, " "); word {
		case "yes", "on":
			return value{amount: 1, quality: facility.Good}, nil
		case "no", "off":
			return value{quality: facility.Good}, nil
		case "bad":
			return value{}, nil
		case "silent":
			return value{silent: true}, nil
		case "uncertain":
			if n, err := strconv.ParseFloat(rest, 64); err == nil && finite(n) {
				return value{amount: n, quality: facility.Uncertain}, nil
			}
		}
	default:
		if n, ok := number(given); ok {
			return value{amount: n, quality: facility.Good}, nil
		}
	}
	return value{}, &facility.Problem{What: fmt.Sprintf("“%v” is no value of a point.", given), Cure: `Write a number in the point's unit, yes, no, bad, silent, "uncertain 3", or {value: 3, per_hour: 1.5}.`}
}

func moving(given map[string]any) (value, *facility.Problem) {
	v := value{quality: facility.Good}
	for key, part := range given {
		n, ok := number(part)
		switch {
		case key == "value" && ok:
			v.amount = n
		case key == "per_hour" && ok:
			v.perHour = n
		default:
			return v, &facility.Problem{What: fmt.Sprintf("“%s: %v” says nothing of a point.", key, part), Cure: "Write numbers as {value: 3, per_hour: 1.5}."}
		}
	}
	return v, nil
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, finite(n)
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// reading is what the point shows at the offset.
func (v value) reading(id facility.PointID, at time.Duration, when time.Time) facility.Reading {
	r := facility.Reading{Point: id, Time: when, Quality: v.quality}
	switch v.quality {
	case facility.Bad:
		r.Reason = facility.NoAnswer
		return r
	case facility.Uncertain:
		r.Reason = facility.ClockUnknown
	}
	r.Value = v.amount
	if v.perHour != 0 {
		r.Value += v.perHour * (at - v.since).Hours()
	}
	return r
}
