package facility

import "time"

// AlarmState is a state of ANSI/ISA-18.2. What moves an alarm from one to another says
// the table of package rules/lifecycle, and nothing else.
type AlarmState string

// The states that an alarm itself is in.
const (
	AlarmNormal         AlarmState = "normal"         // NORM
	AlarmUnacknowledged AlarmState = "unacknowledged" // UNACK: active, nobody has seen it
	AlarmAcknowledged   AlarmState = "acknowledged"   // ACKED: active and seen
	AlarmReturned       AlarmState = "returned"       // RTNUN: gone again, but nobody has seen it
	// A latched alarm stays after its condition has gone, until a person resets it.
	AlarmLatchedUnacknowledged AlarmState = "latched_unacknowledged"
	AlarmLatchedAcknowledged   AlarmState = "latched_acknowledged"
)

// What is shown in place of its own state of an alarm that is held.
const (
	AlarmShelved      AlarmState = "shelved"        // SHLVD: a person put it off for a time
	AlarmSuppressed   AlarmState = "suppressed"     // DSUPR: by design, it follows from another alarm
	AlarmOutOfService AlarmState = "out_of_service" // OOSRV: the device is being worked on
)

// AlarmEvent moves an alarm from state to state.
type AlarmEvent string

// The events.
const (
	AlarmRaise       AlarmEvent = "raise"       // the condition held for the on-delay
	AlarmClear       AlarmEvent = "clear"       // the clear condition held for the off-delay
	AlarmAcknowledge AlarmEvent = "acknowledge" // a person has seen it
)

// Further events of an alarm's life, see package lifecycle. Holds begin and end
// with the last six of them.
const (
	AlarmRealarm    AlarmEvent = "realarm"    // it stood for the re-alarm time, or became more severe
	AlarmReset      AlarmEvent = "reset"      // a person lets go of a latch
	AlarmShelve     AlarmEvent = "shelve"     // a person puts it off, until a time
	AlarmUnshelve   AlarmEvent = "unshelve"   // by a person, or the time is up
	AlarmSuppress   AlarmEvent = "suppress"   // it follows from another alarm
	AlarmUnsuppress AlarmEvent = "unsuppress" //
	AlarmTakeOut    AlarmEvent = "take_out"   // of service, while an order or a reason stands
	AlarmPutBack    AlarmEvent = "put_back"   // into service
)

// What else an alarm's history tells. All but retire and usual move no state of their own; recur
// is a raise that found the alarm standing.
const (
	AlarmRecur       AlarmEvent = "recur"   // the condition came again while the alarm stood
	AlarmTurnUnknown AlarmEvent = "unknown" // the points that it depends on went bad
	AlarmTurnKnown   AlarmEvent = "known"   // they are good again
	AlarmRetire      AlarmEvent = "retire"  // the program takes it back, to normal: its rule is gone, or it was raised in error
	AlarmUsual       AlarmEvent = "usual"   // a person says that it is how things are now: to normal, and what is usual is learned anew
)

// Active reports whether the condition is present.
func (s AlarmState) Active() bool { return s == AlarmUnacknowledged || s == AlarmAcknowledged }

// Alarm is one alarm of one source from its raising until it is normal again.
// A re-occurrence while it stands is counted on it.
type Alarm struct {
	ID         string // UUIDv7, given when it is raised out of normal
	Key        string // what it is about, at most one alarm that is not normal per key: "rule/device", "patrol/round/checkpoint"
	Rule       string // id of the rule; "patrol" for missed patrols
	Device     string // may be empty
	Place      string // may be empty
	Checkpoint string // for patrol alarms
	Round      string // for patrol alarms
	Title      Text
	Advice     Text // what the person should do
	Priority   Priority
	State      AlarmState
	Unknown    bool       // the points that it depends on are bad: still standing, not known
	Value      float64    // the value that raised it, in Unit
	Unit       string     //
	Count      int        // occurrences, 1 at the first raise
	RaisedAt   time.Time  // first raise
	LastAt     time.Time  // last raise
	ClearedAt  *time.Time // last return to normal
	AckedAt    *time.Time
	AckedBy    string // login of the person
	AckNote    string
	OrderID    string // the work order it raised

	Holds []AlarmHold // what keeps its key quiet; filled in when it is read
}

// AlarmRecord is one line of an alarm's history. It is only ever added.
type AlarmRecord struct {
	ID    string // UUIDv7
	Alarm string
	At    time.Time
	Actor string // login; SystemActor for the program
	Event AlarmEvent
	From  AlarmState
	To    AlarmState
	Value float64 // the value at that time, in the alarm's unit
	Note  string
	Until *time.Time // the end that a hold began with; filled in when it is read
}

// Priority is how soon somebody must act, P1 the highest.
type Priority string

// The priorities.
const (
	P1 Priority = "P1" // danger to life or property: act at once
	P2 Priority = "P2" // service to residents is lost or soon will be
	P3 Priority = "P3" // ordinary fault
	P4 Priority = "P4" // when convenient
)

// Valid reports whether the priority is one of P1 to P4.
func (p Priority) Valid() bool { return p == P1 || p == P2 || p == P3 || p == P4 }

// Times of a work order by priority: until it must be accepted, until somebody
// must be on site and until it must be finished. Figures of Chinese property
// practice: urgent water and power on site within 30 min and finished the same
// day, ordinary repair done within 48 h.
func (p Priority) Times() (accept, arrive, finish time.Duration) {
	switch p {
	case P1:
		return 5 * time.Minute, 15 * time.Minute, 2 * time.Hour
	case P2:
		return 10 * time.Minute, 30 * time.Minute, 12 * time.Hour
	case P3:
		return 30 * time.Minute, 4 * time.Hour, 48 * time.Hour
	default:
		return 2 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour
	}
}
