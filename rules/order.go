package rules

import (
	"cmp"
	"fmt"
	"time"
	"unicode/utf8"

	"gengfu/facility"
)

// OrderPolicy says whether and as what an alarm becomes a work order. A snapshot keeps
// it without its lists: a rule that is gone makes no order any more.
type OrderPolicy struct {
	Create    *bool             `yaml:"create"`                     // false: no work order; without it: yes
	Title     facility.Text     `yaml:"title"`                      // instead of the alarm's title
	Category  string            `yaml:"category"`                   // the trade that mends it, which is the team: pump, electric, water, instrument, fire, patrol
	Role      facility.Role     `yaml:"role"`                       // who is to be told; empty is technician
	Priority  facility.Priority `yaml:"priority" json:",omitempty"` // of the order; empty is the alarm's
	Checklist []facility.Text   `yaml:"checklist" json:"-"`         // what to do, in order
	Bring     []facility.Text   `yaml:"bring" json:"-"`             // tools and parts
	Reopen    *time.Duration    `yaml:"reopen" json:",omitempty"`   // so long after its end the fault opens the order again; 0 never, without it DefaultReopen
	Every     time.Duration     `yaml:"-" json:",omitempty"`        // see Lines; the engine fills it in
}

// DefaultReopen is how long after its end an order is opened again by the same fault:
// the repair did not last. Later the fault is a new one.
const DefaultReopen = 24 * time.Hour

// DefaultLines is the least time between two lines of an order's history about its
// fault coming again, where the rule says nothing of how often people are told.
const DefaultLines = time.Hour

// What an order may carry, so that it can be read on a phone.
const (
	maxSteps = 30
	maxStep  = 200 // characters, in each language
)

// orderPolicy is the rule's, with how often its history may tell of the fault.
func (r Rule) orderPolicy() OrderPolicy {
	p := r.Order
	p.Every = cmp.Or(r.Quiet, r.Realarm)
	return p
}

// Wanted reports whether an alarm becomes a work order.
func (p OrderPolicy) Wanted() bool { return p.Create == nil || *p.Create }

// Recipient is the role that is to be told of the order.
func (p OrderPolicy) Recipient() facility.Role {
	if p.Role == "" {
		return facility.RoleTechnician
	}
	return p.Role
}

// ReopenWithin is how long after its end an order is opened again by the same fault.
func (p OrderPolicy) ReopenWithin() time.Duration {
	if p.Reopen == nil {
		return DefaultReopen
	}
	return *p.Reopen
}

// Lines is the least time between two lines of an order's history that say that its
// fault came again: the rule's quiet time, else its re-alarm time, else DefaultLines.
func (p OrderPolicy) Lines() time.Duration { return cmp.Or(p.Every, DefaultLines) }

// validate returns what is wrong with the policy. The paths are relative to the rule.
func (p OrderPolicy) validate() []facility.Problem {
	var out []facility.Problem
	add := func(path, what, cure string) {
		out = append(out, facility.Problem{Path: "order." + path, What: what, Cure: cure})
	}
	if p.Category != "" && CategoryName(p.Category).Empty() {
		add("category", fmt.Sprintf("%q is not a trade.", p.Category), "Write pump, electric, water, instrument, fire or patrol.")
	}
	if p.Role != "" && !p.Role.Valid() {
		add("role", fmt.Sprintf("%q is not a role.", string(p.Role)), "Write technician, guard, desk or manager.")
	}
	if p.Priority != "" && !p.Priority.Valid() {
		add("priority", fmt.Sprintf("%q is not a priority.", string(p.Priority)), "Write P1, P2, P3 or P4, or leave it out: then it is the alarm's.")
	}
	if d := p.Reopen; d != nil && (*d < 0 || *d > LongestDelay) {
		add("reopen", fmt.Sprintf("%s is no time to open an order again.", *d), "Write a time between 0s and 744h.")
	}
	for _, list := range []struct {
		path  string
		texts []facility.Text
	}{{"checklist", p.Checklist}, {"bring", p.Bring}} {
		if len(list.texts) > maxSteps {
			add(list.path, fmt.Sprintf("The list has %d lines.", len(list.texts)), fmt.Sprintf("Write %d at most: it is read on a phone.", maxSteps))
		}
		for i, t := range list.texts {
			at := fmt.Sprintf("%s[%d]", list.path, i)
			switch {
			case t.Empty():
				add(at, "The line is empty.", "Say it in a few words, as {zh: 停泵, en: Stop the pump}.")
			case max(utf8.RuneCountInString(t.ZH), utf8.RuneCountInString(t.EN)) > maxStep:
				add(at, "The line is too long.", fmt.Sprintf("Write %d characters at most.", maxStep))
			}
		}
	}
	if !p.Wanted() && len(p.Checklist)+len(p.Bring) > 0 {
		add("create", "No order is made, so nobody sees what to do or to bring.", "Leave create, or checklist and bring, out.")
	}
	return out
}

// CategoryName returns what people call a trade, or an empty text for one that
// does not exist.
func CategoryName(category string) facility.Text {
	switch category {
	case "pump":
		return facility.Text{ZH: "水泵", EN: "pumps"}
	case "electric":
		return facility.Text{ZH: "电气", EN: "electrical"}
	case "water":
		return facility.Text{ZH: "给排水", EN: "plumbing"}
	case "instrument":
		return facility.Text{ZH: "仪表", EN: "instruments"}
	case "fire":
		return facility.Text{ZH: "消防", EN: "fire safety"}
	case "patrol":
		return facility.Text{ZH: "巡更", EN: "patrol"}
	}
	return facility.Text{}
}
