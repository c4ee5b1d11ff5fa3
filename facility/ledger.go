package facility

import "time"

// Session is one sign-in of a person on one browser.
type Session struct {
	Hash    string // SHA-256 of the token, hex; the token itself is only in the cookie
	Login   string
	Created time.Time
	Expires time.Time
	Agent   string // User-Agent, for the person to recognise it
}

// AuditEntry is who did what. It is only ever added.
type AuditEntry struct {
	ID     string // UUIDv7
	At     time.Time
	Actor  string
	Action string // "sign_in", "sign_in_failed", "acknowledge", "order.assign", "person.create" ...
	Target string
	Detail string
}

// Page is a stretch of a list that is sorted newest first.
type Page struct {
	Before string // id of the last item of the page before, empty at the start
	Limit  int    // 0 is 100, at most 1000
}

// OrderFilter selects work orders, newest first.
type OrderFilter struct {
	Page
	Open    bool   // only open ones
	Done    bool   // only those that are not open
	Concern string // only those assigned to or created by this login
	Mine    string // only those assigned to this login
	Search  string // in number, title, detail, device and place
}

// AlarmFilter selects alarms, newest first.
type AlarmFilter struct {
	Page
	Standing bool // only those that are not normal
	Device   string
}

// OrderTotals are counts over the open orders.
type OrderTotals struct {
	Open       int
	Unassigned int
	Overdue    int
}

// Photo is a picture that belongs to an order.
type Photo struct {
	ID    string // UUIDv7
	Order string
	Type  string // "image/jpeg"
	Data  []byte
	By    string
	At    time.Time
}

// JudgedTap is a tap with what the judge made of it.
type JudgedTap struct {
	Tap        Tap
	Checkpoint string // resolved; empty when unknown
	Person     string // resolved; empty when unknown
	Round      string // the round that it counted for, empty for none
	Verdict    Verdict
	Flags      []TapFlag
}

// Bucket is what a point did in a stretch of time.
type Bucket struct {
	Start time.Time
	Count int // samples in it
	Mean  float64
	Min   float64
	Max   float64
	First float64
	Last  float64
}
