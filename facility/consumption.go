package facility

import "time"

// DayAmount is what a counter counted in one local day.
type DayAmount struct {
	Day      time.Time // the first instant of the day in the zone
	Amount   *float64  // in the unit of the counter; nil when the day has no reading
	Complete bool      // readings reach to within an hour of both ends of the day
}

// LocalDays returns the first instant of the first and the end of the last of
// the given number of local days in the zone, the last being the day of now.
func LocalDays(now time.Time, zone *time.Location, days int) (from, to time.Time) {
	y, m, d := now.In(zone).Date()
	return startOfDay(y, m, d-days+1, zone), startOfDay(y, m, d+1, zone)
}

// Consumption folds the buckets of a counter, in order of time and at most an
// hour long, into local days, the first being the day of from. Buckets before it
// give the reading that the first day starts with: ask for one hour more.
//
// The increase from one bucket to the next belongs to the day of the later one,
// so that the days add up to what the register moved even across a gap; a day at
// whose end readings are missing is not complete. A counter that falls rolled
// over or was exchanged, and counts from zero.
func Consumption(buckets []Bucket, zone *time.Location, from time.Time, days int) []DayAmount {
	out := make([]DayAmount, 0, max(days, 0))
	y, m, d := from.In(zone).Date()
	var register meter
	next := 0
	for i := range days {
		start, end := startOfDay(y, m, d+i, zone), startOfDay(y, m, d+i+1, zone)
		for next < len(buckets) && buckets[next].Start.Before(start) {
			register.advance(buckets[next])
			next++
		}
		first := next
		amount := 0.0
		for next < len(buckets) && buckets[next].Start.Before(end) {
			amount += register.advance(buckets[next])
			next++
		}
		day := DayAmount{Day: start}
		if first < next {
			day.Amount = &amount
			day.Complete = reachesStart(buckets, first, start) && !buckets[next-1].Start.Before(end.Add(-time.Hour))
		}
		out = append(out, day)
	}
	return out
}

// reachesStart reports whether a day whose first bucket has the index first is
// counted from its start on: nothing that was used long before is booked to it,
// and nothing of its first hours is missing.
func reachesStart(buckets []Bucket, first int, start time.Time) bool {
	if first > 0 {
		return !buckets[first-1].Start.Before(start.Add(-time.Hour))
	}
	return buckets[first].Start.Before(start.Add(time.Hour))
}

// meter is a counter's register as it was seen last.
type meter struct {
	known bool
	last  float64
}

// advance returns the increase from the last bucket to the end of this one.
func (r *meter) advance(b Bucket) float64 {
	amount := 0.0
	if r.known {
		amount = increase(r.last, b.First)
	}
	if b.Last >= b.First {
		amount += b.Last - b.First
	} else {
		amount += b.Max - b.First + increase(b.Max, b.Last)
	}
	r.known, r.last = true, b.Last
	return amount
}

// increase is what a counter counted between two readings. A fall to less than
// half is a rollover or an exchange; a smaller one is noise in the last digits or
// a correction, which must not book the whole register again.
func increase(before, after float64) float64 {
	switch {
	case after >= before:
		return after - before
	case after >= before/2:
		return 0
	default:
		return max(after, 0)
	}
}

// startOfDay returns the first instant of a local day, also where the clock
// change takes away midnight or gives it twice.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if t.Day() != noon.Day() { // midnight was skipped and taken for the hour before
		return t.Add(time.Hour)
	}
	if earlier := t.Add(-time.Hour); earlier.Day() == noon.Day() { // midnight comes twice
		return earlier
	}
	return t
}
