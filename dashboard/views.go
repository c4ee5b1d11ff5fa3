package dashboard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gengfu/facility"
)

// register keeps the names of the people, because nearly every answer shows
// some. What was changed here is seen at once, what was changed by the command
// line within its age limit.
type register struct {
	people People
	now    func() time.Time

	mu    sync.Mutex
	read  time.Time
	names map[string]string // by login
}

const registerAge = 10 * time.Second

// all returns the names by login. The map must not be changed.
func (r *register) all(ctx context.Context) (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := r.now().Sub(r.read); r.names != nil && age >= 0 && age < registerAge {
		return r.names, nil
	}
	people, err := r.people.People(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the people: %w", err)
	}
	names := make(map[string]string, len(people))
	for _, p := range people {
		names[p.Login] = p.Name
	}
	r.names, r.read = names, r.now()
	return names, nil
}

func (r *register) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = nil
}

// views turns the domain's values into the shapes of the API.
type views struct {
	estate *estate
	names  map[string]string
	now    time.Time
}

func (v *views) alarm(a facility.Alarm) alarmShape {
	place := v.estate.placeOf(a.Place, a.Device)
	shape := alarmShape{
		ID: a.ID, Key: a.Key, Rule: a.Rule,
		Device: a.Device, DeviceName: v.estate.deviceName(a.Device),
		Place: place, PlaceName: v.estate.placeName(place),
		Checkpoint: a.Checkpoint, Round: a.Round, Title: a.Title, Advice: a.Advice,
		Priority: a.Priority, State: a.State, Unknown: a.Unknown, Value: a.Value, Unit: a.Unit, Count: a.Count,
		RaisedAt: a.RaisedAt.UTC(), LastAt: a.LastAt.UTC(), ClearedAt: utcOf(a.ClearedAt),
		AckedAt: utcOf(a.AckedAt), AckedBy: a.AckedBy, AckNote: a.AckNote, OrderID: a.OrderID,
		Shown: a.Shown(), Holds: make([]holdShape, 0, len(a.Holds)),
	}
	for _, h := range a.Holds {
		shape.Holds = append(shape.Holds, v.hold(h, heldNames{titles: map[string]facility.Text{a.Key: a.Title}}))
	}
	return shape
}

func (v *views) alarms(as []facility.Alarm) []alarmShape {
	out := make([]alarmShape, 0, len(as))
	for _, a := range as {
		out = append(out, v.alarm(a))
	}
	return out
}

func (v *views) order(o facility.Order, reader facility.Person) orderShape {
	place := v.estate.placeOf(o.Place, o.Device)
	actions := o.Actions(reader)
	if actions == nil {
		actions = []facility.OrderAction{}
	}
	return orderShape{
		ID: o.ID, No: o.No, Source: o.Source, Title: o.Title, Detail: o.Detail,
		Device: o.Device, DeviceName: v.estate.deviceName(o.Device), Place: place, PlaceName: v.estate.placeName(place),
		Priority: o.Priority, State: o.State, Assignee: o.Assignee, AssigneeName: v.names[o.Assignee],
		Count: o.Count, CreatedBy: o.CreatedBy,
		CreatedAt: o.CreatedAt.UTC(), LastAt: o.LastAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
		AcceptBy: utc(o.AcceptBy), ArriveBy: utc(o.ArriveBy), FinishBy: utc(o.FinishBy),
		AcceptedAt: utcOf(o.AcceptedAt), ArrivedAt: utcOf(o.ArrivedAt), FinishedAt: utcOf(o.FinishedAt),
		Overdue: o.Overdue(v.now), Reopened: o.Reopened, Version: o.Version,
		Steps: stepsOf(o), Actions: actions,
	}
}

// stepsOf is nil for an order without a checklist.
func stepsOf(o facility.Order) *stepTotals {
	if len(o.Checklist) == 0 {
		return nil
	}
	return &stepTotals{Done: len(o.Checklist) - len(o.Undone()), Total: len(o.Checklist)}
}

func (v *views) checklist(o facility.Order) []stepShape {
	out := make([]stepShape, 0, len(o.Checklist))
	for _, s := range o.Checklist {
		out = append(out, stepShape{Text: s.Text, By: s.By, ByName: v.names[s.By], At: utc(s.At)})
	}
	return out
}

func (v *views) orderEvent(e facility.OrderEvent) orderEventShape {
	return orderEventShape{
		ID: e.ID, At: e.At.UTC(), Actor: e.Actor, ActorName: v.names[e.Actor],
		Action: e.Action, From: e.From, To: e.To, Note: e.Note,
		Target: e.Target, TargetName: v.names[e.Target], Photo: e.Photo, Step: e.Step, Times: e.Times,
	}
}

func (v *views) round(r facility.Round) roundShape {
	s := roundShape{
		ID: r.ID, Plan: r.Plan, Route: r.Route, Name: r.Name, Start: r.Start.UTC(), End: r.End.UTC(),
		Tolerance: r.Tolerance.Seconds(), InOrder: r.InOrder,
		Assignee: r.Assignee, AssigneeName: v.names[r.Assignee], State: r.State,
		Visits: make([]visitShape, 0, len(r.Visits)),
	}
	for _, visit := range r.Visits {
		shape := visitShape{
			Checkpoint: visit.Checkpoint, Verdict: visit.Verdict, OutOfOrder: visit.OutOfOrder,
			TappedAt: utcOf(visit.TappedAt), By: visit.By, ByName: v.names[visit.By], Corrected: visit.Corrected,
			Name: facility.Text{ZH: visit.Checkpoint}, // it may have been taken out of the configuration since
		}
		if name := v.estate.checkpointName(visit.Checkpoint); name != nil {
			shape.Name = *name
		}
		s.Visits = append(s.Visits, shape)
	}
	return s
}

func (v *views) tap(t facility.JudgedTap) tapShape {
	flags := t.Flags
	if flags == nil {
		flags = []facility.TapFlag{}
	}
	return tapShape{
		ID: t.Tap.ID, Source: t.Tap.Source, Reader: t.Tap.Reader,
		Checkpoint: t.Checkpoint, CheckpointName: v.estate.checkpointName(t.Checkpoint),
		Person: t.Person, PersonName: v.names[t.Person],
		TappedAt: t.Tap.TappedAt.UTC(), ReceivedAt: t.Tap.ReceivedAt.UTC(), Flags: flags,
	}
}

// mayFollow reports whether a person may see an order: everybody who may see
// all, and otherwise whoever it is assigned to or made by.
func mayFollow(p facility.Person, o facility.Order) bool {
	return p.Role.May(facility.SeeAllOrders) || o.Assignee == p.Login || o.CreatedBy == p.Login
}
