package facility

import "time"

// DayAmount is what a counter counted in one local day.
type DayAmount struct {
	Day      time.Time // the first instant of the day in the zone
	Amount   *float64  // in the unit of the counter; nil when the day has no reading
	Complete bool      // readings reach to within an hour of both ends of the day
	Reset    bool      // the counter was reset or exchanged: what the old one counted last is not in Amount
}

// Step says what a counter did from one reading to the next.
type Step int

// The steps.
const (
	Grew    Step = iota // or stayed, or fell by no more than noise in its last digits
	Wrapped             // reached its last number and went on from 0
	Reset               // was set back or exchanged for another
)

// What may be told from the size of a fall, as a share. A meter whose register holds
// a year's use or more does not move a twentieth of it between two readings, even
// after a fortnight without any.
const (
	noiseOfCounter = 0.001
	mostOverWrap   = 0.05
)

// Increase returns what a counter counted between two readings, and how. It shows 0
// instead of wrap, in its unit; 0 is not known. A fall is a wrap only when wrap is
// known and the way over it is short. Any other is a reset, after which the counter
// counts from 0: what it shows then was counted, unless that is more than half of
// what it showed before, which is the register of a used meter or a correction and
// counts as nothing.
func Increase(before, after, wrap float64) (amount float64, step Step) {
	over := after + wrap - before
	switch {
	case after >= before:
		return after - before, Grew
	case wrap > 0 && before <= wrap && over <= mostOverWrap*wrap && after < wrap/2:
		return over, Wrapped
	case before-after <= noiseOfCounter*before:
		return 0, Grew
	case after >= before/2:
		return 0, Reset
	default:
		return max(after, 0), Reset
	}
}

// Amount is what a counter counted in a stretch of time.
type Amount struct {
	Value float64 // in the unit of the counter
	Reset bool    // the counter was reset or exchanged: what the old one counted last is not in Value
}

// Increases returns what a counter counted from the end of each bucket's predecessor
// to its own end; of the first one from its first reading on. The buckets are in
// order of time; wrap is that of the counter's point, see Increase. Within one bucket
// a counter is taken to wrap or to be reset once at most.
func Increases(buckets []Bucket, wrap float64) []Amount {
	out := make([]Amount, len(buckets))
	register := meter{wrap: wrap}
	for i, b := range buckets {
		register.reset = false
		out[i].Value = register.advance(b)
		out[i].Reset = register.reset
	}
	return out
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
// whose end readings are missing is not complete. A counter that falls did what
// Increase says; wrap is that of its point.
func Consumption(buckets []Bucket, wrap float64, zone *time.Location, from time.Time, days int) []DayAmount {
	out := make([]DayAmount, 0, max(days, 0))
	y, m, d := from.In(zone).Date()
	register := meter{wrap: wrap}
	next := 0
	for i := range days {
		start, end := startOfDay(y, m, d+i, zone), startOfDay(y, m, d+i+1, zone)
		for next < len(buckets) && buckets[next].Start.Before(start) {
			register.advance(buckets[next])
			next++
		}
		first := next
		amount := 0.0
		register.reset = false
		for next < len(buckets) && buckets[next].Start.Before(end) {
			amount += register.advance(buckets[next])
			next++
		}
		day := DayAmount{Day: start}
		if first < next {
			day.Amount, day.Reset = &amount, register.reset
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
	wrap  float64
	known bool
	last  float64
	reset bool // since it was set to false
}

// advance returns the increase from the last bucket to the end of this one.
func (r *meter) advance(b Bucket) float64 {
	amount := 0.0
	if r.known {
		amount = r.step(r.last, b.First)
	}
	if b.Last >= b.First {
		amount += b.Last - b.First
	} else {
		amount += b.Max - b.First + r.step(b.Max, b.Last)
	}
	r.known, r.last = true, b.Last
	return amount
}

func (r *meter) step(before, after float64) float64 {
	amount, step := Increase(before, after, r.wrap)
	r.reset = r.reset || step == Reset
	return amount
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
