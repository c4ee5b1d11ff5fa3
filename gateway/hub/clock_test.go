package hub

import (
	"testing"
	"time"

	"gengfu/facility"
)

func TestRetime(t *testing.T) {
	received := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	const h = time.Hour
	for name, test := range map[string]struct {
		said, want []time.Duration // from received
		mistimed   int
	}{
		"right":                     {[]time.Duration{-h, -time.Second, 0}, []time.Duration{-h, -time.Second, 0}, 0},
		"a backlog of weeks":        {[]time.Duration{-1000 * h}, []time.Duration{-1000 * h}, 0},
		"a little ahead":            {[]time.Duration{largestSkew}, []time.Duration{largestSkew}, 0},
		"ahead":                     {[]time.Duration{3*h - time.Second, 3 * h}, []time.Duration{-time.Second, 0}, 2},
		"set right in between":      {[]time.Duration{3*h - time.Second, 3 * h, 0}, []time.Duration{-time.Second, 0, 0}, 2},
		"1970, then set right":      {[]time.Duration{-500_000 * h, -500_000*h + time.Minute, -time.Second}, []time.Duration{-time.Minute, 0, -time.Second}, 2},
		"1970 and ahead, of course": {[]time.Duration{-500_000 * h, 5 * h}, []time.Duration{0, 0}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var rs []facility.Reading
			for _, d := range test.said {
				rs = append(rs, facility.Reading{Time: received.Add(d), Quality: facility.Good, Value: 1})
			}
			if got := retime(rs, received); got != test.mistimed {
				t.Errorf("%d mistimed, want %d", got, test.mistimed)
			}
			for i, r := range rs {
				if got := r.Time.Sub(received); got != test.want[i] {
					t.Errorf("reading %d is at %v, want %v", i, got, test.want[i])
				}
				if moved := test.said[i] != test.want[i]; moved != (r.Quality == facility.Uncertain) || moved != (r.Reason == facility.ClockUnknown) {
					t.Errorf("reading %d is %v (%s)", i, r.Quality, r.Reason)
				}
			}
		})
	}
	bad := []facility.Reading{{Time: received.Add(h), Quality: facility.Bad, Reason: facility.NoAnswer}}
	if retime(bad, received); bad[0].Quality != facility.Bad || bad[0].Reason != facility.NoAnswer {
		t.Errorf("a bad reading became %+v", bad[0])
	}
}

func TestRetimeTaps(t *testing.T) {
	received := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		source facility.TapSource
		said   time.Time
		moved  bool
	}{
		"right":               {facility.TapReader, received.Add(-time.Hour), false},
		"1970":                {facility.TapReader, time.Unix(60, 0), true},
		"ahead":               {facility.TapReader, received.Add(3 * time.Hour), true},
		"a phone, judged so":  {facility.TapURL, received.Add(3 * time.Hour), false},
		"a little ahead only": {facility.TapReader, received.Add(time.Minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			taps := []facility.Tap{{Source: test.source, TappedAt: test.said, SentAt: test.said}}
			retimeTaps(taps, received)
			if moved := taps[0].TappedAt.Equal(received); moved != test.moved || taps[0].ClockUnknown != test.moved {
				t.Errorf("%+v", taps[0])
			}
		})
	}
}
