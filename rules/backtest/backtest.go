package backtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/dispatch"
	"gengfu/rules/lifecycle"
)

// MaxShown is how many occurrences a result names. What comes behind is only counted:
// a rule with so many needs no list.
const MaxShown = 10_000

// What an occurrence does about work orders.
const (
	OrderNone     = ""         // the rule makes none
	OrderNew      = "new"      // it makes one
	OrderReopened = "reopened" // it opens again one that had ended shortly before
	OrderCounted  = "counted"  // it is counted on one that is open
)

// Occurrence is one time that an alarm would have been active.
type Occurrence struct {
	Key      string            `json:"key"` // "rule/device"
	Rule     string            `json:"rule"`
	Device   string            `json:"device"`
	Title    facility.Text     `json:"title"`
	Priority facility.Priority `json:"priority"`
	From     time.Time         `json:"from"`
	To       *time.Time        `json:"to"` // nil: it stood at the end
	Value    float64           `json:"value"`
	Unit     string            `json:"unit"`
	Order    string            `json:"order"` // OrderNew, …
}

// Result is what the rules would have done in [From, To).
//
// Orders are those of people who close an order at the moment at which its alarm clears
// and do nothing before: with slower people some that are counted as reopened or new
// would have been occurrences on one that is still open. Notices are those of people who look
// at once, before what follows from another alarm is suppressed and what comes together is
// told together: of slower people there are fewer.
type Result struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Readings uint64    `json:"readings"` // of points that the rules hang on, with those to learn from

	Alarms   int `json:"alarms"`   // occurrences
	Orders   int `json:"orders"`   // that would have been made
	Reopened int `json:"reopened"` // that would have been opened again
	Notices  int `json:"notices"`  // times that people would have been told of one alarm, also again of one that stands
	Standing int `json:"standing"` // alarms that stood at From already; they are not in Alarms

	Occurrences []Occurrence `json:"occurrences"` // the first MaxShown, in order of time
	Unheard     []string     `json:"unheard"`     // "rule/device" that was never judged: the history has nothing of its points
	Unknown     []string     `json:"unknown"`     // "rule/device" that was judged but is not known at the end
}

// Run is a backtest that is under way, for one goroutine.
type Run struct {
	engine  *rules.Engine
	player  *Player
	points  map[facility.PointID]bool
	from    time.Time
	result  Result
	active  map[string]int // index in Occurrences by key; -1 is not shown
	orders  map[string]*facility.Order
	changes func(rules.Change)
}

// Settings say what is backtested.
type Settings struct {
	Rules   []rules.Rule
	Estate  facility.Estate
	Options []rules.Option
	// Begin is when the facts begin. What is between it and From fills windows and
	// detectors and is not counted.
	Begin time.Time
	From  time.Time
	// Changes is told of each change, also before From. May be nil.
	Changes func(rules.Change)
}

// New begins a backtest, or says what is wrong with the rules.
func New(s Settings) (*Run, []facility.Problem) {
	engine, problems := rules.Compile(s.Rules, s.Estate, s.Options...)
	if problems != nil {
		return nil, problems
	}
	r := &Run{
		engine: engine, player: NewPlayer(engine, s.Begin), points: map[facility.PointID]bool{}, from: s.From,
		active: map[string]int{}, orders: map[string]*facility.Order{}, changes: s.Changes,
		result: Result{From: s.From.UTC(), Occurrences: []Occurrence{}, Unheard: []string{}, Unknown: []string{}},
	}
	for _, p := range engine.Points() {
		r.points[p] = true
	}
	return r, nil
}

// Devices returns the devices whose readings are needed, sorted.
func (r *Run) Devices() []string {
	var out []string
	for p := range r.points {
		out = append(out, p.Device)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Take judges a stretch of readings, none of them before the end of the stretch before.
// It orders them by their times, those of one instant as they are, and may change the
// slice.
func (r *Run) Take(readings []facility.Reading) {
	readings = slices.DeleteFunc(readings, func(f facility.Reading) bool { return !r.points[f.Point] })
	slices.SortStableFunc(readings, func(a, b facility.Reading) int { return a.Time.Compare(b.Time) })
	for len(readings) > 0 {
		n := 1
		for n < len(readings) && readings[n].Time.Equal(readings[0].Time) {
			n++
		}
		r.note(r.player.Take(readings[0].Time, readings[:n]...))
		r.result.Readings += uint64(n)
		readings = readings[n:]
	}
}

// Alarms returns how many there are until now.
func (r *Run) Alarms() int { return r.result.Alarms }

// End lets time pass until to and returns the result. The run is over then.
func (r *Run) End(to time.Time) Result {
	r.note(r.player.Pass(to.Add(-1)))
	r.result.To = to.UTC()
	for _, f := range r.engine.Findings() {
		switch key := f.Rule + "/" + f.Device; {
		case f.At.IsZero():
			r.result.Unheard = append(r.result.Unheard, key)
		case f.Truth == rules.Unknown:
			r.result.Unknown = append(r.result.Unknown, key)
		}
	}
	// Those of one instant stand by their keys, in whatever order they were found.
	slices.SortStableFunc(r.result.Occurrences, func(a, b Occurrence) int {
		return cmp.Or(a.From.Compare(b.From), strings.Compare(a.Key, b.Key))
	})
	return r.result
}

func (r *Run) note(changes []rules.Change) {
	for _, c := range changes {
		if r.changes != nil {
			r.changes(c)
		}
		// Unseen is what comes again when they have not looked since.
		if (c.Annunciate || c.Why == lifecycle.WhyUnseen) && !c.At.Before(r.from) {
			r.result.Notices++
		}
		switch c.Event {
		case facility.AlarmRaise, facility.AlarmRecur:
			r.began(c)
		case facility.AlarmClear:
			r.ended(c)
		}
	}
}

func (r *Run) began(c rules.Change) {
	order := r.dispatch(c)
	r.active[c.Alarm.Key] = -1
	if c.At.Before(r.from) {
		r.result.Standing++
		return
	}
	r.result.Alarms++
	switch order {
	case OrderNew:
		r.result.Orders++
	case OrderReopened:
		r.result.Reopened++
	}
	if len(r.result.Occurrences) == MaxShown {
		return
	}
	a := c.Alarm
	r.active[a.Key] = len(r.result.Occurrences)
	r.result.Occurrences = append(r.result.Occurrences, Occurrence{
		Key: a.Key, Rule: a.Rule, Device: a.Device, Title: a.Title, Priority: a.Priority,
		From: c.At, Value: a.Value, Unit: a.Unit, Order: order,
	})
}

func (r *Run) ended(c rules.Change) {
	key := c.Alarm.Key
	n, ok := r.active[key]
	delete(r.active, key)
	switch {
	case ok && n >= 0:
		at := c.At
		r.result.Occurrences[n].To = &at
	case ok && c.At.Before(r.from):
		r.result.Standing--
	}
	if o := r.orders[dispatch.Key(c.Alarm)]; o != nil {
		o.State, o.UpdatedAt = facility.OrderVerified, c.At
	}
}

// dispatch says what the occurrence does about work orders.
func (r *Run) dispatch(c rules.Change) string {
	key := dispatch.Key(c.Alarm)
	open, closed := r.orders[key], (*facility.Order)(nil)
	if open != nil && !open.State.Open() {
		open, closed = nil, open
	}
	d := dispatch.FromAlarm(c.Alarm, c.Order, open, closed, c.At)
	if d.Create != nil {
		d.Create.ID = fmt.Sprintf("%s@%d", key, c.At.UnixNano())
		r.orders[key] = d.Create
		return OrderNew
	}
	for _, act := range d.Acts {
		if act.Action == facility.OrderReopen {
			r.orders[key].State, r.orders[key].UpdatedAt = facility.OrderReopened, c.At
			return OrderReopened
		}
	}
	if len(d.Acts) > 0 || d.Count {
		return OrderCounted
	}
	return OrderNone
}
