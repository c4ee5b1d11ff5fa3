package payload

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
)

// Basis is what the times of a batch stand on.
type Basis string

// The bases, the surest first.
const (
	Synchronised   Basis = "synchronised"   // a clock that a time service or the hub has confirmed
	ByHub          Basis = "by_hub"         // the hub's time: the gateway's own clock was found wrong
	Restamped      Basis = "restamped"      // moved when the time became known, by how long it was since the boot
	Unsynchronised Basis = "unsynchronised" // a clock that nobody has confirmed or found wrong
	Stepped        Basis = "stepped"        // a clock that has stepped, and nobody knows whether rightly
	Unknown        Basis = "unknown"        // a clock that shows a time that cannot be
)

// Sure reports whether nothing better can become known.
func (b Basis) Sure() bool { return b == Synchronised || b == ByHub || b == Restamped }

// Stamp stands at the beginning of a batch and says by which clock its facts are
// timed, so that their times can be put right when more is known. All that stands
// between it and the next was timed by it.
type Stamp struct {
	Boot   string        // names the boot of the machine: letters and digits
	Up     time.Duration // from that boot to the time of the first fact
	Basis  Basis
	Shift  time.Duration // by how much its sender has moved the times
	Within time.Duration // how much earlier than said the facts may be; 0 when that is known
}

// Correction says how the times of a batch are to be put right.
type Correction struct {
	Shift    time.Duration
	Basis    Basis         // what the times stand on then
	Doubtful bool          // they are still not to be relied on
	Within   time.Duration // how much earlier the facts may be; 0 when nothing bounds it
	Pending  bool          // more may be known soon
}

// stampHead is how a batch with a stamp begins.
const stampHead = `{"boot":"`

// On returns a batch with the stamp at its beginning.
func (s Stamp) On(batch []byte) []byte {
	dst := append(make([]byte, 0, len(batch)+len(s.Boot)+96), stampHead...)
	dst = append(dst, s.Boot...)
	dst = append(dst, `","up":`...)
	dst = appendSeconds(dst, int64(s.Up))
	dst = appendLabel(dst, "clock", string(s.Basis))
	if s.Shift != 0 {
		dst = appendSeconds(append(dst, `,"shift":`...), int64(s.Shift))
	}
	if s.Within != 0 {
		dst = appendSeconds(append(dst, `,"within":`...), int64(s.Within))
	}
	return append(append(dst, ','), batch[1:]...)
}

// StampOf reads the stamp at the beginning of a batch, and the time of its first fact.
// It reports false for a batch without one, as earlier versions and other programs
// write it.
func StampOf(batch []byte) (s Stamp, first time.Time, ok bool) {
	const most = maxName + 512 // up to the base time, as On writes it
	if !bytes.HasPrefix(batch, []byte(stampHead)) {
		return Stamp{}, time.Time{}, false
	}
	in := &scanner{in: string(batch[:min(len(batch), most)])}
	in.expect('{')
	var r record
	for in.err == nil && !r.has(lBaseTime) {
		name := in.str(maxName)
		in.expect(':')
		if in.err == nil {
			in.field(&r, name)
		}
		if in.take('}') {
			break
		}
		in.expect(',')
	}
	if in.err != nil || !r.has(lUp) || !r.has(lClock) || !r.has(lBaseTime) {
		return Stamp{}, time.Time{}, false
	}
	return r.stamp(), time.Unix(0, r.bt).UTC(), true
}

// Restamp returns a batch, as a gateway's journal keeps it with the stamp, with its
// times corrected. Readings that are still not to be relied on become uncertain.
func Restamp(batch []byte, s Stamp, c Correction) ([]byte, error) {
	if c.Shift == 0 && !c.Doubtful && c.Basis == s.Basis {
		return batch, nil
	}
	any := Header{Site: "-", Gateway: "-", Stream: facility.Urgent, Epoch: "-"}
	_, readings, taps, err := Decode(Wrap(any, batch))
	if err != nil {
		return nil, fmt.Errorf("correct the times of a batch: %w", err)
	}
	s.Basis, s.Shift, s.Within = c.Basis, s.Shift+c.Shift, c.Within
	var out []byte
	if len(readings) > 0 {
		for i := range readings {
			r := &readings[i]
			r.Time = r.Time.Add(c.Shift)
			if c.Doubtful && r.Quality == facility.Good {
				r.Quality, r.Reason = facility.Uncertain, facility.ClockUnknown
			}
		}
		if out, err = AppendReadings(nil, readings); err != nil {
			return nil, fmt.Errorf("correct the times of a batch: %w", err)
		}
	}
	for _, t := range taps {
		t.TappedAt, t.SentAt = moved(t.TappedAt, c.Shift), moved(t.SentAt, c.Shift)
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = AppendTap(out, t)
	}
	if len(out) == 0 {
		return batch, nil
	}
	return s.On(out), nil
}

func moved(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(by)
}

// appendUp writes an instant of a boot into a header.
func appendUp(dst []byte, boot string, up time.Duration) []byte {
	if boot == "" {
		return dst
	}
	dst = appendLabel(dst, "boot", boot)
	return appendSeconds(append(dst, `,"up":`...), int64(up))
}

func (r *record) stamp() Stamp {
	return Stamp{
		Boot: strings.Clone(r.boot), Up: time.Duration(r.up), Basis: Basis(strings.Clone(r.clock)),
		Shift: time.Duration(r.shift), Within: time.Duration(r.within),
	}
}

// transit is how long a message of a gateway may be on its way: a connection that
// stands still is given up by then.
const transit = time.Minute

// aged is what becomes of the facts behind a stamp.
type aged struct {
	doubtful bool
	known    bool // their age
	shift    time.Duration
	within   time.Duration
}

// ageOf finds it from the header, the stamp, and the time of the first fact as it was
// written, in nanoseconds.
func ageOf(h Header, s Stamp, first int64) aged {
	a := aged{doubtful: s.Basis == Unknown || s.Basis == Stepped, within: s.Within}
	if s.Basis == Unknown && s.Shift == 0 && s.Boot == h.Boot && s.Up <= h.Up && !h.Received.IsZero() {
		a.known, a.within = true, transit
		a.shift = h.Received.Add(s.Up - h.Up).Sub(time.Unix(0, first))
	}
	return a
}

func (a aged) reading(r *facility.Reading) {
	if !a.known {
		return
	}
	if at := r.Time.Add(a.shift); !at.Before(minTime) && !at.After(maxTime) {
		r.Time = at
	}
	if r.Quality == facility.Good {
		r.Quality, r.Reason = facility.Uncertain, facility.ClockUnknown
	}
}

func (a aged) tap(t *facility.Tap) {
	if a.known {
		t.TappedAt, t.SentAt = moved(t.TappedAt, a.shift), moved(t.SentAt, a.shift)
	}
	t.ClockUnknown, t.Within = a.doubtful, a.within
}
