package rules

import (
	"slices"
	"time"

	"gengfu/facility"
)

// Calendars that a condition asks for by a name of their own.
const (
	holidays = "holidays"
	workdays = "workdays"
)

// during reports whether the instant of the frame lies in the calendar.
func during(c facility.Calendar) func(*frame) Truth {
	return func(f *frame) Truth {
		f.wakeAt(f.at.nextMinute())
		f.clock.set(f.at)
		return truthOf(c.Holds(f.clock.local))
	}
}

// workday is the calendar of the working days, where the site has none of its own.
func workday() facility.Calendar {
	return facility.Calendar{ID: workdays, Weekdays: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}}
}

// calendar finds one by its id.
func (c *catalogue) calendar(id string) (facility.Calendar, bool) {
	for _, k := range c.calendars {
		if k.ID == id {
			return k, true
		}
	}
	if id == workdays {
		return workday(), true
	}
	return facility.Calendar{}, false
}

func (c *catalogue) calendarIDs() []string {
	ids := []string{workdays}
	for _, k := range c.calendars {
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
