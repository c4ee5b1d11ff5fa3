package dashboard

import (
	"time"

	"gengfu/facility"
)

// The shapes of docs/api.md. Lists are never null; what does not apply is left out.

type sessionShape struct {
	Person      *personShape          `json:"person"`
	Permissions []facility.Permission `json:"permissions"`
	Site        siteShape             `json:"site"`
	Version     string                `json:"version"`
	Now         time.Time             `json:"now"`
	DemoLogins  []DemoLogin           `json:"demo_logins"`
	Extensions  []extensionShape      `json:"extensions"`
}

type siteShape struct {
	ID   string        `json:"id"`
	Name facility.Text `json:"name"`
	Zone string        `json:"zone"`
}

type extensionShape struct {
	Path string        `json:"path"`
	Name facility.Text `json:"name"`
}

type personShape struct {
	Login    string        `json:"login"`
	Name     string        `json:"name"`
	Role     facility.Role `json:"role"`
	Phone    *string       `json:"phone,omitempty"`
	Badges   *[]string     `json:"badges,omitempty"`
	Disabled *bool         `json:"disabled,omitempty"`
}

type deviceShape struct {
	ID        string         `json:"id"`
	Name      facility.Text  `json:"name"`
	Kind      string         `json:"kind"`
	Place     string         `json:"place,omitempty"`
	PlaceName *facility.Text `json:"place_name,omitempty"`
	Line      string         `json:"line"`
	Address   string         `json:"address"`
	Profile   string         `json:"profile"`
	reachShape
	Points []pointShape `json:"points"`
}

// reachShape says whether a device answers; null is not known.
type reachShape struct {
	Online   *bool      `json:"online"`
	Reason   string     `json:"reason,omitempty"`
	LastSeen *time.Time `json:"last_seen"`
}

type deviceEventShape struct {
	ID string `json:"id"`
	reachShape
}

type pointShape struct {
	ID         facility.PointID      `json:"id"`
	Device     string                `json:"device"`
	DeviceName facility.Text         `json:"device_name"`
	Name       facility.Text         `json:"name"`
	Kind       facility.PointKind    `json:"kind"`
	Unit       string                `json:"unit"`
	Decimals   int                   `json:"decimals"`
	Labels     map[int]facility.Text `json:"labels,omitempty"`
	Min        *float64              `json:"min,omitempty"`
	Max        *float64              `json:"max,omitempty"`
	Value      *float64              `json:"value"`
	Quality    *facility.Quality     `json:"quality"`
	Reason     facility.Reason       `json:"reason,omitempty"`
	Time       *time.Time            `json:"time"`
	StaleAfter float64               `json:"stale_after"`
	Detail     bool                  `json:"detail,omitempty"`
}

type pointsEventShape struct {
	Points []readingShape `json:"points"`
}

type readingShape struct {
	ID      facility.PointID `json:"id"`
	Value   *float64         `json:"value"`
	Quality facility.Quality `json:"quality"`
	Reason  facility.Reason  `json:"reason,omitempty"`
	Time    time.Time        `json:"time"`
}

type overviewShape struct {
	At      time.Time     `json:"at"`
	State   estateState   `json:"state"`
	Summary facility.Text `json:"summary"`
	Alarms  alarmTotals   `json:"alarms"`
	Orders  orderTotals   `json:"orders"`
	Patrol  patrolTotals  `json:"patrol"`
	Devices deviceTotals  `json:"devices"`
	Tiles   []pointShape  `json:"tiles"`
}

// alarmTotals count what is not held; Held is how many keys are, whether their alarms
// stand or not.
type alarmTotals struct {
	Standing       int `json:"standing"`
	Unacknowledged int `json:"unacknowledged"`
	Held           int `json:"held"`
	P1             int `json:"P1"`
	P2             int `json:"P2"`
	P3             int `json:"P3"`
	P4             int `json:"P4"`
}

type orderTotals struct {
	Open       int `json:"open"`
	Unassigned int `json:"unassigned"`
	Overdue    int `json:"overdue"`
}

type patrolTotals struct {
	Expected int         `json:"expected"`
	Reached  int         `json:"reached"`
	Missed   int         `json:"missed"`
	Next     *roundShape `json:"next"`
}

type deviceTotals struct {
	Total   int `json:"total"`
	Online  int `json:"online"`
	Offline int `json:"offline"`
}

type historyShape struct {
	Point   pointShape    `json:"point"`
	From    time.Time     `json:"from"`
	To      time.Time     `json:"to"`
	Step    float64       `json:"step"`
	Buckets []bucketShape `json:"buckets"`
}

type bucketShape struct {
	T     time.Time `json:"t"`
	Count int       `json:"count"`
	Mean  float64   `json:"mean"`
	Min   float64   `json:"min"`
	Max   float64   `json:"max"`
	Last  float64   `json:"last"`

	// Of a counter: what it counted since the bucket before, and whether it was
	// exchanged meanwhile.
	Increase *float64 `json:"increase,omitempty"`
	Reset    bool     `json:"reset,omitempty"`
}

type consumptionShape struct {
	Point pointShape `json:"point"`
	Unit  string     `json:"unit"`
	Days  []dayShape `json:"days"`
}

type dayShape struct {
	Day      string   `json:"day"`
	Amount   *float64 `json:"amount"`
	Complete bool     `json:"complete"`
	Reset    bool     `json:"reset,omitempty"`
}

type alarmShape struct {
	ID         string              `json:"id"`
	Key        string              `json:"key"`
	Rule       string              `json:"rule"`
	Device     string              `json:"device,omitempty"`
	DeviceName *facility.Text      `json:"device_name,omitempty"`
	Place      string              `json:"place,omitempty"`
	PlaceName  *facility.Text      `json:"place_name,omitempty"`
	Checkpoint string              `json:"checkpoint,omitempty"`
	Round      string              `json:"round,omitempty"`
	Title      facility.Text       `json:"title"`
	Advice     facility.Text       `json:"advice"`
	Priority   facility.Priority   `json:"priority"`
	State      facility.AlarmState `json:"state"`
	Unknown    bool                `json:"unknown"`
	Value      float64             `json:"value"`
	Unit       string              `json:"unit"`
	Count      int                 `json:"count"`
	RaisedAt   time.Time           `json:"raised_at"`
	LastAt     time.Time           `json:"last_at"`
	ClearedAt  *time.Time          `json:"cleared_at,omitempty"`
	AckedAt    *time.Time          `json:"acked_at,omitempty"`
	AckedBy    string              `json:"acked_by,omitempty"`
	AckNote    string              `json:"ack_note,omitempty"`
	OrderID    string              `json:"order_id,omitempty"`
	Shown      facility.AlarmState `json:"shown"`
	Holds      []holdShape         `json:"holds"`
}

// Unseen reports whether nobody has acknowledged the alarm as it is now.
func (a alarmShape) Unseen() bool {
	return a.State == facility.AlarmUnacknowledged || a.State == facility.AlarmReturned || a.State == facility.AlarmLatchedUnacknowledged
}

// Latched reports whether the alarm waits for a reset.
func (a alarmShape) Latched() bool {
	return a.State == facility.AlarmLatchedUnacknowledged || a.State == facility.AlarmLatchedAcknowledged
}

// alarmDetailShape is all of an alarm, and what it asks of who acts on it.
type alarmDetailShape struct {
	Alarm        alarmShape        `json:"alarm"`
	Events       []alarmEventShape `json:"events"`
	LongestShelf float64           `json:"longest_shelf,omitempty"` // seconds
	NoteNeeded   bool              `json:"note_needed,omitempty"`   // to acknowledge
}

type alarmEventShape struct {
	ID        string              `json:"id"`
	At        time.Time           `json:"at"`
	Actor     string              `json:"actor"`
	ActorName string              `json:"actor_name"`
	Event     facility.AlarmEvent `json:"event"`
	From      facility.AlarmState `json:"from"`
	To        facility.AlarmState `json:"to"`
	Value     float64             `json:"value"`
	Note      string              `json:"note,omitempty"`
	Until     *time.Time          `json:"until,omitempty"`
}

type holdShape struct {
	Key        string              `json:"key"`
	Kind       facility.AlarmState `json:"kind"`
	Rule       string              `json:"rule"`
	RuleName   facility.Text       `json:"rule_name"`
	Device     string              `json:"device,omitempty"`
	DeviceName *facility.Text      `json:"device_name,omitempty"`
	By         string              `json:"by"`
	ByName     string              `json:"by_name"`
	Reason     string              `json:"reason,omitempty"`
	Cause      string              `json:"cause,omitempty"`
	CauseName  *facility.Text      `json:"cause_name,omitempty"`
	Order      string              `json:"order,omitempty"`
	OrderNo    string              `json:"order_no,omitempty"`
	Since      time.Time           `json:"since"`
	Until      *time.Time          `json:"until,omitempty"`
	OneShot    bool                `json:"one_shot"`
}

type orderShape struct {
	ID           string                 `json:"id"`
	No           string                 `json:"no"`
	Source       facility.OrderSource   `json:"source"`
	Title        facility.Text          `json:"title"`
	Detail       facility.Text          `json:"detail"`
	Device       string                 `json:"device,omitempty"`
	DeviceName   *facility.Text         `json:"device_name,omitempty"`
	Place        string                 `json:"place,omitempty"`
	PlaceName    *facility.Text         `json:"place_name,omitempty"`
	Priority     facility.Priority      `json:"priority"`
	State        facility.OrderState    `json:"state"`
	Assignee     string                 `json:"assignee,omitempty"`
	AssigneeName string                 `json:"assignee_name,omitempty"`
	Count        int                    `json:"count"`
	CreatedBy    string                 `json:"created_by,omitempty"`
	CreatedAt    time.Time              `json:"created_at"`
	LastAt       time.Time              `json:"last_at"`
	UpdatedAt    time.Time              `json:"updated_at"`
	AcceptBy     *time.Time             `json:"accept_by,omitempty"`
	ArriveBy     *time.Time             `json:"arrive_by,omitempty"`
	FinishBy     *time.Time             `json:"finish_by,omitempty"`
	AcceptedAt   *time.Time             `json:"accepted_at,omitempty"`
	ArrivedAt    *time.Time             `json:"arrived_at,omitempty"`
	FinishedAt   *time.Time             `json:"finished_at,omitempty"`
	Overdue      bool                   `json:"overdue"`
	Reopened     int                    `json:"reopened"`
	Version      int                    `json:"version"`
	Steps        *stepTotals            `json:"steps,omitempty"`
	Actions      []facility.OrderAction `json:"actions"`
}

// stepTotals is how far the checklist of an order is.
type stepTotals struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

type stepShape struct {
	Text   facility.Text `json:"text"`
	By     string        `json:"by,omitempty"`
	ByName string        `json:"by_name,omitempty"`
	At     *time.Time    `json:"at,omitempty"`
}

type orderDetailShape struct {
	Order      orderShape        `json:"order"`
	Events     []orderEventShape `json:"events"`
	Alarms     []alarmShape      `json:"alarms"`
	Checklist  []stepShape       `json:"checklist"`
	Bring      []facility.Text   `json:"bring"`
	Assignable []assignableShape `json:"assignable"`
}

type orderEventShape struct {
	ID         string               `json:"id"`
	At         time.Time            `json:"at"`
	Actor      string               `json:"actor"`
	ActorName  string               `json:"actor_name"`
	Action     facility.OrderAction `json:"action"`
	From       facility.OrderState  `json:"from"`
	To         facility.OrderState  `json:"to"`
	Note       string               `json:"note,omitempty"`
	Target     string               `json:"target,omitempty"`
	TargetName string               `json:"target_name,omitempty"`
	Photo      string               `json:"photo,omitempty"`
	Step       int                  `json:"step,omitempty"`
	Times      int                  `json:"times,omitempty"`
}

type assignableShape struct {
	Login      string        `json:"login"`
	Name       string        `json:"name"`
	Role       facility.Role `json:"role"`
	OpenOrders int           `json:"open_orders"`
}

type roundShape struct {
	ID           string              `json:"id"`
	Plan         string              `json:"plan"`
	Route        string              `json:"route"`
	Name         facility.Text       `json:"name"`
	Start        time.Time           `json:"start"`
	End          time.Time           `json:"end"`
	Tolerance    float64             `json:"tolerance"`
	InOrder      bool                `json:"in_order"`
	Assignee     string              `json:"assignee,omitempty"`
	AssigneeName string              `json:"assignee_name,omitempty"`
	State        facility.RoundState `json:"state"`
	Visits       []visitShape        `json:"visits"`
}

type visitShape struct {
	Checkpoint string           `json:"checkpoint"`
	Name       facility.Text    `json:"name"`
	Verdict    facility.Verdict `json:"verdict"`
	OutOfOrder bool             `json:"out_of_order"`
	TappedAt   *time.Time       `json:"tapped_at,omitempty"`
	By         string           `json:"by,omitempty"`
	ByName     string           `json:"by_name,omitempty"`
	Corrected  bool             `json:"corrected"`
}

type checkpointShape struct {
	ID        string         `json:"id"`
	Name      facility.Text  `json:"name"`
	Place     string         `json:"place,omitempty"`
	PlaceName *facility.Text `json:"place_name,omitempty"`
	URL       string         `json:"url,omitempty"`
	TokenHash string         `json:"token_sha256,omitempty"` // for a phone without a network to know a tag that it has read
}

type tapShape struct {
	ID             string             `json:"id"`
	Source         facility.TapSource `json:"source"`
	Reader         string             `json:"reader,omitempty"`
	Checkpoint     string             `json:"checkpoint,omitempty"`
	CheckpointName *facility.Text     `json:"checkpoint_name,omitempty"`
	Person         string             `json:"person,omitempty"`
	PersonName     string             `json:"person_name,omitempty"`
	TappedAt       time.Time          `json:"tapped_at"`
	ReceivedAt     time.Time          `json:"received_at"`
	Flags          []facility.TapFlag `json:"flags"`
}

type tapResultShape struct {
	ID         string           `json:"id"`
	Accepted   bool             `json:"accepted"`
	Checkpoint *checkpointShape `json:"checkpoint"`
	Error      *errorBody       `json:"error"`
}

type auditShape struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Target string    `json:"target"`
	Detail string    `json:"detail"`
}
