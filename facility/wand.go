package facility

import (
	"slices"
	"time"
)

// DumpOptions says how the dump of a patrol wand is to be read.
type DumpOptions struct {
	Columns string // which column says what, as "time=巡检时间,checkpoint=3"; "" is by the usual headings
	Wand    string // number of the wand, where no column has it
	Guard   string // login, badge or name of who carried it, where no column has it
}

// DumpLine is one line of the dump of a patrol wand: a tap, or what is wrong.
type DumpLine struct {
	Number int  // in the file, from 1
	Tap    Tap  // where nothing is wrong; the line is always the same tap
	What   Text // what is wrong, as a sentence; empty for nothing
	Cure   Text // what to do about it, as a sentence
}

// DumpError says that a dump as a whole cannot be read.
type DumpError struct{ What, Cure Text }

func (e *DumpError) Error() string { return e.What.EN + " " + e.Cure.EN }

// Unwrap makes it an ErrInvalid.
func (e *DumpError) Unwrap() error { return ErrInvalid }

// DumpState is what becomes of a line of a dump.
type DumpState string

// The states of a line.
const (
	DumpNew   DumpState = "new"   // it is taken, or would be
	DumpKnown DumpState = "known" // it was taken before, or stands in the dump twice
	DumpWrong DumpState = "wrong"
)

// DumpSpan returns from when to when the taps of a dump were made, both zero when
// there are none.
func DumpSpan(lines []DumpLine) (first, last time.Time) {
	for _, l := range lines {
		at := l.Tap.TappedAt
		switch {
		case l.Tap.ID == "":
			continue
		case first.IsZero() || at.Before(first):
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return first, last
}

// DumpStates says what becomes of each line, given the taps that are there already
// of its span. The taps that are new come in the order in which they were made, as
// sent and received now.
func DumpStates(lines []DumpLine, there []JudgedTap, now time.Time) (states []DumpState, taps []Tap) {
	had := map[string]bool{}
	for _, t := range there {
		had[t.Tap.ID] = true
	}
	for _, l := range lines {
		state := DumpNew
		switch {
		case l.Tap.ID == "":
			state = DumpWrong
		case had[l.Tap.ID]:
			state = DumpKnown
		default:
			had[l.Tap.ID] = true
			l.Tap.SentAt, l.Tap.ReceivedAt = now, now
			taps = append(taps, l.Tap)
		}
		states = append(states, state)
	}
	slices.SortStableFunc(taps, func(a, b Tap) int { return a.TappedAt.Compare(b.TappedAt) })
	return states, taps
}
