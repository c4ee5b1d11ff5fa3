package facility

import (
	"slices"
	"time"
)

// Calendar says on which days, and at which times of them, something holds: a shift,
// the holidays, the nights when the baths are closed. Days are those of the site.
type Calendar struct {
	ID       string
	Name     Text
	Weekdays []time.Weekday // none with Days too is every day
	Days     []Day          // these days, whatever weekday they are
	Except   []Day          // never these
	From     time.Duration  // of the day, below 24 h
	Until    time.Duration  // of the day; at or before From it is of the next one. Both 0 is the whole day
}

// Day is one date of the calendar.
type Day struct {
	Year  int
	Month time.Month
	Date  int
}

// DayOf returns the date of a time, in the time's own zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day{y, m, d}
}

// Holds reports whether it holds at the local time. What reaches past midnight
// belongs to the day on which it began.
func (c Calendar) Holds(local time.Time) bool {
	clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	today := c.on(local)
	switch {
	case c.From == 0 && c.Until == 0:
		return today
	case c.From < c.Until:
		return today && clock >= c.From && clock < c.Until
	}
	return today && clock >= c.From || clock < c.Until && c.on(local.AddDate(0, 0, -1))
}

// on reports whether the day of the local time is one of the calendar's.
func (c Calendar) on(local time.Time) bool {
	day := DayOf(local)
	switch {
	case slices.Contains(c.Except, day):
		return false
	case slices.Contains(c.Days, day):
		return true
	case len(c.Weekdays) == 0:
		return len(c.Days) == 0
	}
	return slices.Contains(c.Weekdays, local.Weekday())
}
