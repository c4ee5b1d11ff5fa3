package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
)

// Calendar is a shift, the holidays, or whatever else rules ask for with during("id").
type Calendar struct {
	ID     string        `yaml:"id"`
	Name   facility.Text `yaml:"name"`
	Days   []string      `yaml:"days"`   // mon to sun
	Dates  []string      `yaml:"dates"`  // 2026-10-01, or 2026-10-01..2026-10-07: these too, whatever weekday
	Except []string      `yaml:"except"` // the same: never these
	From   string        `yaml:"from"`
	Until  string        `yaml:"until"`
}

// longestSpan bounds how many days one span of dates may have.
const longestSpan = 366

// buildCalendars checks the calendars and gives them to the estate.
func (l *loader) buildCalendars() {
	c := l.config
	l.ids("calendars", len(c.File.Calendars), func(i int) string { return c.File.Calendars[i].ID })
	for i, k := range c.File.Calendars {
		at := fmt.Sprintf("calendars[%d]", i)
		out := facility.Calendar{ID: k.ID, Name: k.Name}
		for n, d := range k.Days {
			day, ok := weekdays[d]
			if !ok {
				l.bad(fmt.Sprintf("%s.days[%d]", at, n), fmt.Sprintf("%q is not a day.", d), "Write mon, tue, wed, thu, fri, sat or sun.")
			}
			out.Weekdays = append(out.Weekdays, day)
		}
		out.Days, out.Except = l.dates(at+".dates", k.Dates), l.dates(at+".except", k.Except)
		if (k.From == "") != (k.Until == "") {
			l.bad(at, "The calendar has only one end of its day.", "Write both from and until, or neither for the whole day.")
		} else if k.From != "" {
			l.clock(at+".from", k.From)
			l.clock(at+".until", k.Until)
			out.From, out.Until = timeOfDay(k.From), timeOfDay(k.Until)
			if out.From == out.Until {
				l.bad(at+".until", "The calendar begins and ends at the same time.", "Leave both out for the whole day.")
			}
		}
		c.Estate.Calendars = append(c.Estate.Calendars, out)
	}
}

func timeOfDay(text string) time.Duration {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0 // clock says so
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// dates reads single dates and spans of them.
func (l *loader) dates(at string, texts []string) []facility.Day {
	var out []facility.Day
	for i, text := range texts {
		first, last, span := strings.Cut(text, "..")
		from, err := time.Parse(time.DateOnly, first)
		until := from
		if span && err == nil {
			until, err = time.Parse(time.DateOnly, last)
		}
		if err != nil || until.Before(from) || until.Sub(from) > longestSpan*24*time.Hour {
			l.bad(fmt.Sprintf("%s[%d]", at, i), fmt.Sprintf("%q is no date.", text), "Write it as 2026-10-01, or a span of up to a year as 2026-10-01..2026-10-07.")
			continue
		}
		for d := from; !d.After(until); d = d.AddDate(0, 0, 1) {
			if day := facility.DayOf(d); !slices.Contains(out, day) {
				out = append(out, day)
			}
		}
	}
	return out
}
