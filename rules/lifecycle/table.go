package lifecycle

import "gengfu/facility"

// Row is one lawful move of the base state.
type Row struct {
	From  facility.AlarmState
	Event facility.AlarmEvent
	When  When
	To    facility.AlarmState
	Tell  Tell
}

// When says under which circumstances a row counts.
type When byte

// The circumstances. For a state and an event at most one row counts in each.
const (
	Always  When = iota
	Latches      // the rule latches
	Free         // the rule does not latch, and nothing holds the alarm
	Held         // the rule does not latch, and something holds the alarm
	Plain        // the rule does not latch
)

// Tell says whether a row is a reason to tell people, if nothing holds the alarm.
type Tell byte

// The reasons.
const (
	Silent Tell = iota
	Newly       // something happened that nobody has seen
	Again       // they were told and have not looked yet: only where a period is set, or if they were never told
)

// release is what befalls an alarm whose condition is there when its last hold ends.
const release facility.AlarmEvent = "release"

const (
	normal   = facility.AlarmNormal
	unacked  = facility.AlarmUnacknowledged
	acked    = facility.AlarmAcknowledged
	returned = facility.AlarmReturned
	latchedU = facility.AlarmLatchedUnacknowledged
	latchedA = facility.AlarmLatchedAcknowledged
)

// Table returns all lawful moves of the base state.
func Table() []Row {
	return []Row{
		{normal, facility.AlarmRaise, Always, unacked, Newly},

		{unacked, facility.AlarmClear, Free, returned, Silent},
		{unacked, facility.AlarmClear, Held, normal, Silent},
		{unacked, facility.AlarmClear, Latches, latchedU, Silent},
		{unacked, facility.AlarmAcknowledge, Always, acked, Silent},
		{unacked, facility.AlarmRealarm, Always, unacked, Newly},
		{unacked, facility.AlarmRetire, Always, normal, Silent},
		{unacked, release, Always, unacked, Newly},

		{acked, facility.AlarmClear, Plain, normal, Silent},
		{acked, facility.AlarmClear, Latches, latchedA, Silent},
		{acked, facility.AlarmRealarm, Always, unacked, Newly},
		{acked, facility.AlarmRetire, Always, normal, Silent},
		{acked, release, Always, unacked, Newly},

		{returned, facility.AlarmRaise, Always, unacked, Again},
		{returned, facility.AlarmAcknowledge, Always, normal, Silent},
		{returned, facility.AlarmRetire, Always, normal, Silent},

		{latchedU, facility.AlarmRaise, Always, unacked, Again},
		{latchedU, facility.AlarmAcknowledge, Always, latchedA, Silent},
		{latchedU, facility.AlarmReset, Always, returned, Silent},
		{latchedU, facility.AlarmRetire, Always, normal, Silent},

		{latchedA, facility.AlarmRaise, Always, unacked, Newly},
		{latchedA, facility.AlarmReset, Always, normal, Silent},
		{latchedA, facility.AlarmRetire, Always, normal, Silent},
	}
}

// table is Table by state and event, made once.
var table = func() map[facility.AlarmState]map[facility.AlarmEvent][]Row {
	out := map[facility.AlarmState]map[facility.AlarmEvent][]Row{}
	for _, r := range Table() {
		if out[r.From] == nil {
			out[r.From] = map[facility.AlarmEvent][]Row{}
		}
		out[r.From][r.Event] = append(out[r.From][r.Event], r)
	}
	return out
}()

// find returns the row that counts.
func find(from facility.AlarmState, e facility.AlarmEvent, latches, held bool) (Row, bool) {
	for _, r := range table[from][e] {
		if r.When.counts(latches, held) {
			return r, true
		}
	}
	return Row{}, false
}

func (w When) counts(latches, held bool) bool {
	switch w {
	case Latches:
		return latches
	case Free:
		return !latches && !held
	case Held:
		return !latches && held
	case Plain:
		return !latches
	}
	return true
}
