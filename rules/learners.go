package rules

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules/detect"
)

// Learners returns the shipped detectors: what grows in a water meter is judged as
// a register of water, or where its pipe is rated to feed a block by the water of each
// hour; what grows in kWh by the energy of each hour, and a quantity
// that moves freely by its mean of five minutes. The hours and weekdays are the
// zone's. Nothing is learned of states and signals.
func Learners(zone *time.Location) Detectors {
	if zone == nil {
		zone = time.UTC
	}
	return func(d facility.Device, p facility.Point) Detector {
		l := &learner{zone: zone, scale: 1}
		switch {
		case p.Kind == facility.Counter && litres(p.Unit) > 0 && feedsBlock(d):
			l.kind, l.span = detect.ElectricityMeter, time.Hour // it is never still, as a building's
		case p.Kind == facility.Counter && strings.HasPrefix(d.Kind, "water") && litres(p.Unit) > 0:
			l.kind, l.scale = detect.WaterMeter, litres(p.Unit)
		case p.Kind == facility.Counter && (p.Unit == "kWh" || p.Unit == "MWh" || p.Unit == "Wh"):
			l.kind, l.span = detect.ElectricityMeter, time.Hour
		case p.Kind == facility.Measure:
			l.kind, l.span = detect.Series, 5*time.Minute
		default:
			return nil
		}
		l.anew()
		return l
	}
}

// blockPipe is the pipe, in mm, from which on a meter does not feed a single household:
// theirs are DN15 to DN25.
const blockPipe = 40

// feedsBlock reports whether a water meter is rated for a pipe that feeds many. What a
// meter feeds that has no rating is not known.
func feedsBlock(d facility.Device) bool {
	text, ok := d.Ratings["pipe"]
	if !ok || !strings.HasPrefix(d.Kind, "water") {
		return false
	}
	mm, _ := symbol("mm")
	o, m := rating(text)
	return m == nil && o.unit.dim == mm.dim && o.value*mm.per(o.unit) >= blockPipe
}

// litres is how many of them a unit of volume has; 0 is no unit of volume.
func litres(unit string) float64 {
	switch unit {
	case "m3":
		return 1000
	case "L", "l":
		return 1
	}
	return 0
}

// learner gives a detector what it knows: of readings that come as they come, the
// register, or what became of each span.
type learner struct {
	kind     detect.Kind
	zone     *time.Location
	scale    float64       // of the detector's unit, in the point's
	span     time.Duration // 0 gives every reading
	detector *detect.Detector

	from       int64   // beginning of the span, Unix nanoseconds; 0 is none
	sum, count float64 // of the span; of a register where it stood at the beginning
	verdict    Verdict
}

func (l *learner) anew() {
	d, err := detect.New(l.kind, detect.Settings{Channels: 1})
	if err != nil {
		panic(err) // the kinds above take one value
	}
	l.detector = d
}

// Freeze says whether what comes is a fault, see Freezer. A span is judged as what it
// is when it ends.
func (l *learner) Freeze(fault bool) { l.detector.Freeze(fault) }

// Observe takes in the next value. Within a span the verdict of the last one stands.
func (l *learner) Observe(at time.Time, value float64) Verdict {
	if l.span == 0 {
		return l.say(at, value, 0)
	}
	from := at.Truncate(l.span).UnixNano()
	if from != l.from {
		if l.from != 0 {
			l.finish(from, value)
		}
		l.from, l.sum, l.count = from, 0, 0
		if l.kind == detect.ElectricityMeter {
			l.sum = value
		}
	}
	if l.kind == detect.Series {
		l.sum += value
	}
	l.count++
	return l.verdict
}

// finish judges the span that is over; value is the first of the span that begins
// at next.
func (l *learner) finish(next int64, value float64) {
	at := time.Unix(0, l.from).Add(l.span / 2)
	switch {
	case l.kind == detect.Series:
		l.say(at, l.sum/l.count, 0)
	case next == l.from+int64(l.span) && value >= l.sum: // else it was silent, reset or another meter
		l.say(at, value-l.sum, l.sum)
	}
}

func (l *learner) say(at time.Time, value, base float64) Verdict {
	v := l.detector.Observe(at.In(l.zone), value*l.scale)
	l.verdict = Verdict{Baseline: base + v.Baseline/l.scale, Score: v.Score, Flag: v.Flag, Sure: v.Sure}
	return l.verdict
}

// Snapshot returns what Restore takes up again.
func (l *learner) Snapshot() ([]byte, error) {
	data, err := l.detector.Snapshot()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = binary.Write(&b, binary.LittleEndian, l.head())
	return append(b.Bytes(), data...), err
}

// learnerHead is what a learner keeps beside its detector.
type learnerHead struct {
	From            int64
	Sum, Count      float64
	Baseline, Score float64
	Flag, Sure      bool
}

func (l *learner) head() learnerHead {
	return learnerHead{From: l.from, Sum: l.sum, Count: l.count, Baseline: l.verdict.Baseline, Score: l.verdict.Score, Flag: l.verdict.Flag, Sure: l.verdict.Sure}
}

// Restore takes up what Snapshot returned.
func (l *learner) Restore(data []byte) error {
	var h learnerHead
	size := binary.Size(h)
	if len(data) < size {
		return errors.New("the state of a detector is cut off")
	}
	if err := binary.Read(bytes.NewReader(data[:size]), binary.LittleEndian, &h); err != nil {
		return err
	}
	if err := l.detector.Restore(data[size:]); err != nil {
		return err
	}
	l.from, l.sum, l.count = h.From, h.Sum, h.Count
	l.verdict = Verdict{Baseline: h.Baseline, Score: h.Score, Flag: h.Flag, Sure: h.Sure}
	return nil
}
