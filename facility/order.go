package facility

import (
	"fmt"
	"time"
)

// OrderState is a state of a work order.
type OrderState string

// The states of a work order.
const (
	OrderNew        OrderState = "new"         // 待派
	OrderAssigned   OrderState = "assigned"    // 已派
	OrderAccepted   OrderState = "accepted"    // 已接
	OrderArrived    OrderState = "arrived"     // 到场
	OrderInProgress OrderState = "in_progress" // 处理中
	OrderOnHold     OrderState = "on_hold"     // 挂起
	OrderCompleted  OrderState = "completed"   // 完工
	OrderVerified   OrderState = "verified"    // 验收
	OrderClosed     OrderState = "closed"      // 关闭
	OrderCancelled  OrderState = "cancelled"   // 作废
	OrderReopened   OrderState = "reopened"    // 返工: waits for an assignee again
)

// OrderAction is what a person or the system does to a work order.
type OrderAction string

// The actions. Comment, photo, tick, untick and recur change no state.
const (
	OrderCreate   OrderAction = "create"
	OrderAssign   OrderAction = "assign" // also transfers to somebody else
	OrderAccept   OrderAction = "accept"
	OrderReturn   OrderAction = "return" // the assignee gives it back, with a reason
	OrderArrive   OrderAction = "arrive"
	OrderStart    OrderAction = "start"
	OrderHold     OrderAction = "hold"     // with a reason: parts, access, weather
	OrderResume   OrderAction = "resume"   // to where it was held: in progress, or accepted when nobody had arrived
	OrderComplete OrderAction = "complete" // with what was done
	OrderVerify   OrderAction = "verify"
	OrderClose    OrderAction = "close"
	OrderCancel   OrderAction = "cancel" // with a reason
	OrderReopen   OrderAction = "reopen" // with a reason
	OrderComment  OrderAction = "comment"
	OrderPhoto    OrderAction = "photo"
	OrderTick     OrderAction = "tick"     // a step of the checklist is done
	OrderUntick   OrderAction = "untick"   // it is not, after all
	OrderRecur    OrderAction = "recur"    // the fault came again and is counted here
	OrderWithdraw OrderAction = "withdraw" // the system takes back what it raised in error, with the reason
)

var orderTransitions = map[OrderState]map[OrderAction]OrderState{
	OrderNew:        {OrderAssign: OrderAssigned, OrderCancel: OrderCancelled, OrderWithdraw: OrderCancelled},
	OrderAssigned:   {OrderAssign: OrderAssigned, OrderAccept: OrderAccepted, OrderReturn: OrderNew, OrderCancel: OrderCancelled, OrderWithdraw: OrderCancelled},
	OrderAccepted:   {OrderAssign: OrderAssigned, OrderArrive: OrderArrived, OrderHold: OrderOnHold, OrderReturn: OrderNew, OrderCancel: OrderCancelled, OrderWithdraw: OrderCancelled},
	OrderArrived:    {OrderAssign: OrderAssigned, OrderStart: OrderInProgress, OrderHold: OrderOnHold, OrderComplete: OrderCompleted, OrderCancel: OrderCancelled},
	OrderInProgress: {OrderAssign: OrderAssigned, OrderHold: OrderOnHold, OrderComplete: OrderCompleted, OrderCancel: OrderCancelled},
	OrderOnHold:     {OrderAssign: OrderAssigned, OrderResume: OrderInProgress, OrderCancel: OrderCancelled},
	OrderCompleted:  {OrderVerify: OrderVerified, OrderReopen: OrderReopened},
	OrderVerified:   {OrderClose: OrderClosed, OrderReopen: OrderReopened},
	OrderClosed:     {OrderReopen: OrderReopened},
	OrderReopened:   {OrderAssign: OrderAssigned, OrderCancel: OrderCancelled},
	OrderCancelled:  {},
}

// Apply returns the state after the action, or an error when the action is not
// lawful in this state. Comment and photo are lawful in every state that is not
// ended, recur in every open one, tick and untick from when the order is accepted;
// they leave the state as it is. Withdraw is lawful until somebody is at work.
func (s OrderState) Apply(a OrderAction) (OrderState, error) {
	if n, ok := orderTransitions[s][a]; ok {
		return n, nil
	}
	switch a {
	case OrderComment, OrderPhoto, OrderRecur:
		if s.Open() || s == OrderVerified && a != OrderRecur {
			return s, nil
		}
	case OrderTick, OrderUntick:
		switch s {
		case OrderAccepted, OrderArrived, OrderInProgress, OrderOnHold, OrderCompleted:
			return s, nil
		}
	}
	return s, fmt.Errorf("work order in state %s: cannot %s: %w", s, a, ErrUnlawful)
}

// Open reports whether work on the order is still owed: neither verified, closed
// nor cancelled. An open order takes further occurrences of its fault.
func (s OrderState) Open() bool {
	_, known := orderTransitions[s]
	return known && s != OrderVerified && s != OrderClosed && s != OrderCancelled
}

// NeedsNote reports whether the action must say why or what.
func (a OrderAction) NeedsNote() bool {
	switch a {
	case OrderReturn, OrderHold, OrderComplete, OrderCancel, OrderReopen, OrderComment, OrderWithdraw:
		return true
	}
	return false
}

// adds reports whether the action only adds to an order, so that it can neither
// overwrite nor be overwritten.
func (a OrderAction) adds() bool {
	return a == OrderComment || a == OrderPhoto || a == OrderRecur || a.ticks()
}

// MayAct reports whether a person may do the action to the order: the role must
// allow it, and what is done on site only the assignee may do. Whoever completed
// an order of priority P1 or P2 may not verify it. Comments and photos are also
// for whoever made the order. A disabled person may do nothing.
func (o *Order) MayAct(p Person, a OrderAction) bool {
	if p.Disabled || p.Login == "" || !p.Role.May(CreateOrder) {
		return false
	}
	dispatcher := p.Role == RoleAdmin || p.Role == RoleManager || p.Role == RoleDesk
	assignee := o.Assignee == p.Login
	switch a {
	case OrderCreate:
		return true
	case OrderAssign, OrderCancel, OrderReopen, OrderClose:
		return dispatcher
	case OrderAccept, OrderReturn, OrderArrive, OrderStart, OrderHold, OrderResume, OrderComplete, OrderTick, OrderUntick:
		return assignee
	case OrderVerify:
		own := assignee && (o.Priority == P1 || o.Priority == P2)
		return dispatcher && !own
	case OrderComment, OrderPhoto:
		return dispatcher || assignee || o.CreatedBy == p.Login
	}
	return false
}

// Actions returns what the person may do to the order now, in the order in which
// a page offers it.
func (o *Order) Actions(p Person) []OrderAction {
	all := []OrderAction{
		OrderAssign, OrderAccept, OrderArrive, OrderStart, OrderResume, OrderComplete, OrderVerify, OrderClose,
		OrderHold, OrderReturn, OrderReopen, OrderCancel, OrderComment, OrderPhoto,
	}
	if len(o.Checklist) > 0 {
		all = append(all, OrderTick, OrderUntick)
	}
	var out []OrderAction
	for _, a := range all {
		if _, err := o.State.Apply(a); err == nil && o.MayAct(p, a) {
			out = append(out, a)
		}
	}
	return out
}

// OrderSource says where a work order came from.
type OrderSource string

// The sources.
const (
	FromAlarm  OrderSource = "alarm"
	FromPatrol OrderSource = "patrol"
	FromDesk   OrderSource = "desk"  // a phone call or a visit, typed in by the desk
	FromStaff  OrderSource = "staff" // a guard or technician saw it
)

// Order is a work order.
type Order struct {
	ID         string // UUIDv7
	No         string // for people: "20261122-0007", counted per site and local day
	Key        string // at most one open order per key that is not empty
	Source     OrderSource
	Title      Text
	Detail     Text
	Checklist  []OrderStep // what to do, in order
	Bring      []Text      // tools and parts
	Device     string
	Place      string
	Priority   Priority
	State      OrderState
	Assignee   string // login
	Count      int    // occurrences
	Noted      int    // as many of them as the history tells of; the rest are counted without a line
	CreatedBy  string // login, or SystemActor
	CreatedAt  time.Time
	LastAt     time.Time // last occurrence
	NotedAt    time.Time // the last one that has a line in the history
	UpdatedAt  time.Time
	AcceptBy   time.Time
	ArriveBy   time.Time
	FinishBy   time.Time
	AcceptedAt *time.Time
	ArrivedAt  *time.Time
	FinishedAt *time.Time
	Reopened   int // how often
	Version    int // grows with each line of the history; an act states the version that it saw
	// ActedVersion is the version at the last act that was more than a comment, a
	// photo, a tick or a recurrence. An act that saw it or a later one is not in conflict.
	ActedVersion int
}

// OrderEvent is one line of an order's history. It is only ever added.
type OrderEvent struct {
	ID     string // UUIDv7
	Order  string
	At     time.Time
	Actor  string // login; "system" for the program
	Action OrderAction
	From   OrderState
	To     OrderState
	Note   string
	Target string // the assignee of an assign; the alarm of a recur
	Photo  string // id of an attachment
	Step   int    // of a tick or untick: the number of the step, from 1
	Times  int    // of a recur: how often the fault came since the line before
}

// SystemActor is the actor of what the program does by itself.
const SystemActor = "system"
