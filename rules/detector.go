package rules

import (
	"time"

	"gengfu/facility"
)

// Detector learns what is usual of one point. It costs the same for each value and
// keeps the same amount however many it has seen.
type Detector interface {
	// Observe takes in the next value; at is later each time.
	Observe(at time.Time, value float64) Verdict
	// Snapshot returns what Restore takes up again.
	Snapshot() ([]byte, error)
	Restore(data []byte) error
}

// Freezer is a detector that can be told that what it sees from now on is a fault: its
// Baseline is then what was usual before.
type Freezer interface {
	Freeze(fault bool)
}

// Verdict is what a detector thinks of the last value.
type Verdict struct {
	Baseline float64 // what would be usual
	Score    float64 // how unusual it is, from 0 to 1
	Flag     bool    // it is unusual enough for a person to look
	Sure     bool    // it has seen enough to say so
}

// Detectors makes a detector for a point of a device, or nil for one that none fits.
type Detectors func(d facility.Device, p facility.Point) Detector

// watch holds a detector and the last that it said. It takes readings in order only:
// what is late is not shown to it.
type watch struct {
	made     func() Detector
	detector Detector
	verdict  Verdict
	askers   // for its baseline
	blocks   // of what is kept of it
}

func (w *watch) take(_ *point, at instant, v float64) {
	if f, ok := w.detector.(Freezer); ok {
		f.Freeze(w.fault())
	}
	w.verdict = w.detector.Observe(at.time(), v)
	if !finite(w.verdict.Baseline) || !finite(w.verdict.Score) {
		w.verdict = Verdict{}
	}
}

func (w *watch) late(*point, instant, float64) bool { return false }

// forget learns anew, also what anomaly(x) goes by.
func (w *watch) forget() { w.detector, w.verdict = w.made(), Verdict{} }

func (w *watch) blank() feed { return &watch{made: w.made, detector: w.made()} }

func (w *watch) save(e *writer) {
	data, err := w.detector.Snapshot()
	if err != nil {
		data = nil // it begins to learn anew after the next start
	}
	e.bytes(data)
	e.float(w.verdict.Baseline)
	e.float(w.verdict.Score)
	e.byte(byte(truthOf(w.verdict.Flag)))
	e.byte(byte(truthOf(w.verdict.Sure)))
}

// patch writes what changed of what save writes, which is kilobytes and mostly as it was.
func (w *watch) patch(e *writer, _ instant) {
	whole := writer{}
	w.save(&whole)
	w.blocks.patch(e, whole.data)
}

func (w *watch) load(r *reader) {
	w.detector = w.made()
	w.blocks = blocks{}
	data := r.bytes()
	w.verdict = Verdict{Baseline: r.float(), Score: r.float(), Flag: Truth(r.byte()) == True, Sure: Truth(r.byte()) == True}
	if r.err != nil || len(data) == 0 {
		w.verdict = Verdict{}
		return
	}
	if err := w.detector.Restore(data); err != nil { // it is another by now, and learns anew
		w.detector, w.verdict = w.made(), Verdict{}
	}
}
