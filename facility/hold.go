package facility

import "time"

// AlarmHold keeps the alarm of a key quiet, whether it stands or is normal, by
// ISA-18.2: who put it there, why and until when. A key has at most one of each kind.
type AlarmHold struct {
	Key     string     // "rule/device"
	Kind    AlarmState // AlarmShelved, AlarmSuppressed or AlarmOutOfService
	By      string     // login, or SystemActor
	Reason  string     // of a shelf always; of out of service without an order
	Cause   string     // of a suppression: the key of the alarm that it follows from
	Order   string     // of out of service: the id of the work order that it ends with
	Since   time.Time
	Until   *time.Time // of a shelf always; nil is until somebody ends it
	OneShot bool       // of a shelf: it also ends when the condition goes
}

// Same reports whether two holds are one: nothing of them differs.
func (h AlarmHold) Same(o AlarmHold) bool {
	if (h.Until == nil) != (o.Until == nil) || h.Until != nil && !h.Until.Equal(*o.Until) || !h.Since.Equal(o.Since) {
		return false
	}
	h.Since, h.Until, o.Since, o.Until = time.Time{}, nil, time.Time{}, nil
	return h == o
}

// HoldRecord is one line of the history of what held a key. It is only ever added.
type HoldRecord struct {
	ID    string // UUIDv7
	Key   string
	Alarm string // the alarm that stood then, empty for none
	At    time.Time
	Actor string     // login; SystemActor for the program
	Event AlarmEvent // AlarmShelve, AlarmUnshelve, AlarmSuppress, …
	Note  string     // the reason, or what the person said
	Cause string
	Order string
	Until *time.Time
}

// Shown returns the state that pages show: what holds the alarm, or else its own.
func (a Alarm) Shown() AlarmState {
	shown := a.State
	for _, kind := range []AlarmState{AlarmShelved, AlarmSuppressed, AlarmOutOfService} {
		for _, h := range a.Holds {
			if h.Kind == kind {
				shown = kind
			}
		}
	}
	return shown
}

// Notice is one telling of people: what came together is told together, the most
// severe first.
type Notice struct {
	ID       string // UUIDv7
	At       time.Time
	Priority Priority // of the most severe
	Alarms   []NoticeAlarm
	Flood    bool // so many alarms come that P3 and P4 wait
}

// NoticeAlarm is one alarm of a notice.
type NoticeAlarm struct {
	Alarm    string // id
	Key      string
	Title    Text
	Priority Priority
	Gone     bool // its condition has gone in the meantime
	Follow   int  // how many active alarms are suppressed because of it
}

// RuleVersion is one saving of a rule in the dashboard. It is only ever added; the last
// of each id counts, in place of the rule of that id in the files.
type RuleVersion struct {
	Rule    string // id
	Version int    // 1 at the first saving of this id
	At      time.Time
	Author  string // login
	Reason  string // why, required
	Source  string // the rule as YAML; empty: taken back, what the files say counts again
}
