package rules

import (
	"fmt"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// What a condition compares with, it must not learn from its own fault: while the
// alarm of a rule that asks what is usual stands, what is kept of the point learns
// nothing, however long that takes. So a leak of months is still a leak, and what was
// usual before it is there when it is mended, until a person says that it is how things are
// now. Which alarms stand the instances know: nothing of this is saved.

// reference is a feed that says what is usual.
type reference interface {
	feed
	ask(i *instance)
	asking() []*instance
	forget() // what is usual is learned anew
}

// askers are the instances that go by a reference. Each of them has heard of all that
// was before a reading when the reading is taken in, see Engine.observe.
type askers struct{ instances []*instance }

func (a *askers) ask(i *instance) { a.instances = append(a.instances, i) }

func (a *askers) asking() []*instance { return a.instances }

// fault reports whether one of them is in alarm.
func (a *askers) fault() bool {
	for _, i := range a.instances {
		if i.active() {
			return true
		}
	}
	return false
}

// refer notes that the program asks the feed what is usual.
func (b *builder) refer(feed int) {
	if !slices.Contains(b.program.asked, feed) {
		b.program.asked = append(b.program.asked, feed)
	}
}

// refer makes the instance one that its references are asked by.
func (i *instance) refer() {
	for _, r := range i.references() {
		r.ask(i)
	}
}

// references are what says to the instance what is usual.
func (i *instance) references() []reference {
	t, ok := i.test.(*conditionTest)
	if !ok {
		return nil
	}
	out := make([]reference, 0, len(t.program.asked))
	for _, k := range t.program.asked {
		out = append(out, t.feeds[k].(reference))
	}
	return out
}

// AsksUsual reports whether any rule on any device goes by what is usual, so that
// TakeAsUsual may end its alarms.
func (e *Engine) AsksUsual() bool {
	return slices.ContainsFunc(e.instances, func(i *instance) bool { return len(i.references()) > 0 })
}

// TakeAsUsual says that what the alarm is about is how things are from now on, as the
// person by answers for with a note: what is usual is learned anew, and the alarm is
// taken back, with those of other rules that go by the same. It fails with
// facility.ErrNotFound when no such alarm stands, with facility.ErrUnlawful when it is
// not active or does not go by what is usual, and with facility.ErrNoteMissing or
// facility.ErrInvalid when something of the person is missing.
func (e *Engine) TakeAsUsual(alarmID, by, note string, at time.Time) ([]Change, error) {
	i, ok := e.byID[alarmID]
	var err error
	switch {
	case !ok:
		err = facility.ErrNotFound
	case !i.active() || len(i.references()) == 0:
		err = facility.ErrUnlawful
	case by == "":
		err = facility.ErrInvalid
	case note == "":
		err = facility.ErrNoteMissing
	}
	if err != nil {
		return nil, fmt.Errorf("take alarm %s as usual: %w", alarmID, err)
	}
	var out []Change
	for _, r := range i.references() {
		for _, other := range r.asking() {
			if !other.active() {
				continue
			}
			other.Pending, other.Deadline, other.Left = nothing, 0, 0
			c, err := other.step(lifecycle.Input{Event: facility.AlarmRetire, By: by, Note: note}, clamp(at))
			if err != nil {
				return out, fmt.Errorf("alarm %s: %w", other.key, err) // cannot be: it is lawful of all that is active
			}
			c.Event = facility.AlarmUsual
			e.queue.plan(other)
			out = append(out, c)
		}
		r.forget()
		e.markFeed(r)
	}
	return out, nil
}

// markFeed notes that what is kept of a point is not as it was kept.
func (e *Engine) markFeed(f feed) {
	for _, k := range e.feeds {
		if k.feed == f {
			e.keeping.mark(e.points[k.point])
		}
	}
}
