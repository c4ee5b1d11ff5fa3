package rules

import "slices"

// What a condition compares with, it must not learn from its own fault: while the
// alarm of a rule that asks what is usual stands, what is kept of the point learns
// nothing, however long that takes. So a leak of months is still a leak, and what was
// usual before it is there when it is mended. Which alarms stand the instances know:
// nothing of this is saved.

// reference is a feed that says what is usual.
type reference interface {
	feed
	ask(i *instance)
}

// askers are the instances that go by a reference. Each of them has heard of all that
// was before a reading when the reading is taken in, see Engine.observe.
type askers struct{ instances []*instance }

func (a *askers) ask(i *instance) { a.instances = append(a.instances, i) }

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
	if t, ok := i.test.(*conditionTest); ok {
		for _, k := range t.program.asked {
			t.feeds[k].(reference).ask(i)
		}
	}
}
