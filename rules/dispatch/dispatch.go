// Package dispatch decides what an alarm does to the work orders: whether it
// makes one, is counted on one, or takes one back. It never stores anything, reads
// a clock or starts a goroutine; whoever calls it carries the decision out.
package dispatch

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/patrol"
)

// Decision is what is to be done, as of the instant of the change that it
// answers: acts done later still bear that instant. The zero value is nothing.
type Decision struct {
	// Create is a new order without ID and No, or nil.
	Create *facility.Order
	// Order is the id of the order that Acts are for.
	Order string
	// Acts are to be done to the order by DoSystem, one after the other.
	Acts []facility.Act
	// Count says that an occurrence is to be counted on the order by CountOn, without a
	// line of its history.
	Count bool
}

// Nothing reports whether there is nothing to be done.
func (d Decision) Nothing() bool { return d.Create == nil && len(d.Acts) == 0 && !d.Count }

// PatrolPolicy is the policy for the alarms of package patrol.
func PatrolPolicy() rules.OrderPolicy {
	return rules.OrderPolicy{Category: "patrol", Role: facility.RoleGuard}
}

// Key returns the key of the order that the alarm belongs to. A device's alarm
// has an order of its own; all missed checkpoints of a round share one.
func Key(a facility.Alarm) string {
	if a.Rule == patrol.Rule && a.Round != "" {
		return "patrol/" + a.Round
	}
	return a.Key
}

// FromAlarm decides what an alarm that was raised or has recurred does. open is
// the open order with the alarm's Key, closed the one that ended last; either may
// be nil. An open order counts the occurrence, and comes back from completed:
// what was mended did not stay so. An order that was verified or closed within the
// policy's time before at is opened again. Whoever calls it does so once for each
// occurrence of a device's alarm, by the alarm's count; a missed checkpoint that is
// on the order already is not counted twice.
//
// Each occurrence counts, but an order's history has one line at most in each of
// OrderPolicy.Lines, which says how often the fault came since the line before.
func FromAlarm(a facility.Alarm, p rules.OrderPolicy, open, closed *facility.Order, at time.Time) Decision {
	if !p.Wanted() {
		return Decision{}
	}
	recur := facility.Act{Action: facility.OrderRecur, Target: a.ID, Note: occurrence(a)}
	reopen := facility.Act{Action: facility.OrderReopen, Note: "故障再次出现 · the fault came again"}
	switch {
	case isPatrol(a) && (on(a, open) || on(a, closed)):
		return Decision{}
	case open != nil && open.State == facility.OrderCompleted && !isPatrol(a):
		return Decision{Order: open.ID, Acts: []facility.Act{reopen, recur}}
	case open != nil && !isPatrol(a) && !worthALine(a, p, *open):
		return Decision{Order: open.ID, Count: true}
	case open != nil:
		return Decision{Order: open.ID, Acts: []facility.Act{recur}}
	case closed != nil && !isPatrol(a) && reopens(p, *closed, at):
		return Decision{Order: closed.ID, Acts: []facility.Act{reopen, recur}}
	}
	return Decision{Create: newOrder(a, p, at)}
}

// worthALine reports whether the last line of the order's history about its fault is
// so long ago that there may be another. A line of the future is of a clock that was
// wrong, and holds back nothing.
func worthALine(a facility.Alarm, p rules.OrderPolicy, o facility.Order) bool {
	since := a.LastAt.Sub(o.NotedAt)
	return since < 0 || since >= p.Lines()
}

// on reports whether the alarm is on the order already.
func on(a facility.Alarm, o *facility.Order) bool { return o != nil && a.OrderID == o.ID }

// isPatrol reports whether the alarm is of a round. A round is over when it is
// over: further checkpoints missed in it are no failure of the work on its order.
func isPatrol(a facility.Alarm) bool { return a.Rule == patrol.Rule }

func reopens(p rules.OrderPolicy, o facility.Order, at time.Time) bool {
	if within := p.ReopenWithin(); within > 0 && (o.State == facility.OrderVerified || o.State == facility.OrderClosed) {
		return at.Sub(o.UpdatedAt) <= within
	}
	return false
}

// Returned decides what an alarm that cleared does to its order, which may be
// nil: a comment, because whether the cause is mended only a person can say. A
// missed checkpoint that is over has not mended itself, and says nothing; nor does
// an alarm that comes and goes: a return is worth a word if its coming was, and if it
// is not the first one the alarm must have stood for a while.
func Returned(a facility.Alarm, o *facility.Order) Decision {
	if o == nil || !o.State.Open() || isPatrol(a) || o.Count > 1 && (stood(a) < brief || a.LastAt.After(o.NotedAt)) {
		return Decision{}
	}
	return comment(o, "报警已恢复正常 · returned to normal: "+both(a.Title))
}

// brief is how long an alarm that has come before must have stood for its return
// to be worth a word.
const brief = time.Minute

// stood is how long the alarm that has just cleared was active.
func stood(a facility.Alarm) time.Duration {
	if a.ClearedAt == nil {
		return 0
	}
	return a.ClearedAt.Sub(a.LastAt)
}

// Retired decides what an alarm does to its order, which may be nil, when no rule
// judges it any more: a comment, because whether the work is still needed only a
// person can say.
func Retired(a facility.Alarm, o *facility.Order) Decision {
	if o == nil || !o.State.Open() {
		return Decision{}
	}
	return comment(o, "规则已变更或取消，不再判断该报警 · the rule was changed or removed, the alarm is no longer judged: "+both(a.Title))
}

// Usual decides what an alarm that a person took as usual does to its order, which may be
// nil: what is left of it to do is for people to say.
func Usual(a facility.Alarm, o *facility.Order, note string) Decision {
	if o == nil || !o.State.Open() {
		return Decision{}
	}
	return comment(o, "已确认为现在的常态，重新学习 · taken as usual from now on, learned anew: "+both(a.Title)+" ("+note+")")
}

// Withdraw decides what a patrol alarm that was raised in error does to its
// order, which may be nil. missing is how many checkpoints of the round are still
// missed. The order is cancelled when none is and nobody is at work on it.
func Withdraw(a facility.Alarm, o *facility.Order, missing int) Decision {
	if o == nil || !o.State.Open() {
		return Decision{}
	}
	note := "迟到同步：打点按时完成 · late sync: the tap was made in time: " + both(a.Title)
	if _, err := o.State.Apply(facility.OrderWithdraw); err != nil || missing > 0 {
		return comment(o, note)
	}
	return Decision{Order: o.ID, Acts: []facility.Act{{Action: facility.OrderWithdraw, Note: note}}}
}

func comment(o *facility.Order, note string) Decision {
	return Decision{Order: o.ID, Acts: []facility.Act{{Action: facility.OrderComment, Note: note}}}
}

func newOrder(a facility.Alarm, p rules.OrderPolicy, at time.Time) *facility.Order {
	o := &facility.Order{
		Key:       Key(a),
		Source:    facility.FromAlarm,
		Title:     title(a, p),
		Detail:    detail(a, p),
		Checklist: facility.Checklist(p.Checklist),
		Bring:     whole(p.Bring),
		Device:    a.Device,
		Place:     a.Place,
		Priority:  cmp.Or(p.Priority, a.Priority),
		State:     facility.OrderNew,
		Count:     1,
		Noted:     1,
		CreatedAt: at.UTC(),
		LastAt:    a.LastAt,
		NotedAt:   a.LastAt,
		UpdatedAt: at.UTC(),
		Version:   1,
	}
	if isPatrol(a) {
		o.Source = facility.FromPatrol
	}
	o.Promise(o.CreatedAt)
	return o
}

func whole(texts []facility.Text) []facility.Text {
	var out []facility.Text
	for _, t := range texts {
		out = append(out, t.Whole())
	}
	return out
}

// title is the policy's, or the alarm's. The order of a round is named after the
// round; its checkpoints stand in the detail and the history.
func title(a facility.Alarm, p rules.OrderPolicy) facility.Text {
	t := a.Title
	if !p.Title.Empty() {
		t = p.Title
	} else if isPatrol(a) {
		t.ZH, _, _ = strings.Cut(t.ZH, patrol.TitleSeparator)
		t.EN, _, _ = strings.Cut(t.EN, patrol.TitleSeparator)
	}
	return t.Whole()
}

// detail says what was seen, and what to do.
func detail(a facility.Alarm, p rules.OrderPolicy) facility.Text {
	return facility.Text{ZH: lines("zh", a, p), EN: lines("en", a, p)}
}

func lines(lang string, a facility.Alarm, p rules.OrderPolicy) string {
	words := map[string]string{"value": "数值：", "category": "专业："}
	if lang == "en" {
		words = map[string]string{"value": "Value: ", "category": "Trade: "}
	}
	var out []string
	if seen := a.Title.In(lang); seen != title(a, p).In(lang) {
		out = append(out, seen)
	}
	if v := Value(a); v != "" {
		out = append(out, words["value"]+v)
	}
	if advice := a.Advice.In(lang); advice != "" {
		out = append(out, advice)
	}
	if p.Category != "" {
		out = append(out, words["category"]+rules.CategoryName(p.Category).In(lang))
	}
	return strings.Join(out, "\n")
}

// occurrence is the note of one more occurrence.
func occurrence(a facility.Alarm) string {
	note := both(a.Title)
	if v := Value(a); v != "" {
		note += " (" + v + ")"
	}
	return note
}

// both is a text in both languages, for notes, which have only one.
func both(t facility.Text) string {
	zh, en := t.In("zh"), t.In("en")
	if zh == en {
		return zh
	}
	return zh + " · " + en
}

// Value returns the value that raised the alarm with its unit, to three decimals;
// "" when it has no unit, because a bit that is 1 says no more than the title.
func Value(a facility.Alarm) string {
	if a.Unit == "" {
		return ""
	}
	return strconv.FormatFloat(math.Round(a.Value*1000)/1000, 'f', -1, 64) + " " + a.Unit
}
