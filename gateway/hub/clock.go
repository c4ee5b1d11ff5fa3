package hub

import (
	"time"

	"gengfu/facility"
)

const (
	// largestSkew is how far a gateway's clock may be ahead of the hub's. Within
	// it a reading keeps its time: the two clocks need not agree to the second.
	largestSkew = 2 * time.Minute
	// firstYear is before any gateway was built. A box without a battery for its
	// clock starts in 1970 until the network tells it the time.
	firstYear = 2020
)

// retime replaces the times that cannot be, of readings of one record that was
// received at the instant received, and returns how many there were. A time from
// the future would make its point deaf until then, and one from before the
// program was there would be passed over as older than what is known: in either
// case a fault would not be seen. So these readings are moved together, the
// newest of them to when they were received and the others as far before it as
// they were apart, and are marked uncertain. The journal's record keeps what the
// gateway said.
func retime(readings []facility.Reading, received time.Time) int {
	var doubtful []*facility.Reading
	var newest time.Time
	for i := range readings {
		r := &readings[i]
		if r.Time.Year() >= firstYear && r.Time.Sub(received) <= largestSkew {
			continue
		}
		if len(doubtful) == 0 || r.Time.After(newest) {
			newest = r.Time
		}
		doubtful = append(doubtful, r)
	}
	shift := received.Sub(newest)
	for _, r := range doubtful {
		r.Time = r.Time.Add(shift)
		if r.Time.Year() < firstYear { // of both kinds in one record
			r.Time = received
		}
		if r.Quality == facility.Good {
			r.Quality, r.Reason = facility.Uncertain, facility.ClockUnknown
		}
	}
	return len(doubtful)
}

// retimeTaps does so for taps on readers, of a gateway that does not say that it did not
// know the time. Those from phones say what their clock shows, which is judged with them.
func retimeTaps(taps []facility.Tap, received time.Time) {
	for i := range taps {
		if t := &taps[i]; t.Source == facility.TapReader && (t.TappedAt.Year() < firstYear || t.TappedAt.Sub(received) > largestSkew) {
			t.TappedAt, t.SentAt, t.ClockUnknown = received, received, true
		}
	}
}
