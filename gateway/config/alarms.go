package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/discipline"
)

// Alarms is what the site asks of people who quiet alarms, and when it tells people.
type Alarms struct {
	MaxShelf        map[facility.Priority]time.Duration `yaml:"max_shelf"`        // the longest shelf; a priority that is left out has its default
	AcknowledgeNote []facility.Priority                 `yaml:"acknowledge_note"` // of which priorities an acknowledgement needs a note

	Group    time.Duration `yaml:"group"`    // what comes within it is told together, and makes its orders then; P1 does not wait
	Recovery time.Duration `yaml:"recovery"` // what was suppressed has so long to come back by itself once its cause is over
	Withhold time.Duration `yaml:"withhold"` // the longest that a flood of alarms holds back P3 and P4
	Duty     int           `yaml:"duty"`     // persons who answer alarms, by which a flood is one
}

// Discipline is the section as the hub wants it.
func (a Alarms) Discipline() discipline.Settings {
	return discipline.Settings{Group: a.Group, Recovery: a.Recovery, Withhold: a.Withhold, Duty: a.Duty}
}

// The limits of what may be configured.
const (
	shortestShelf = 5 * time.Minute
	longestShelf  = 31 * 24 * time.Hour
)

// Life is the section as the rules are compiled with it.
func (a Alarms) Life() rules.LifeLimits {
	l := rules.LifeLimits{MaxShelf: map[facility.Priority]time.Duration{}, AckNote: map[facility.Priority]bool{}}
	// What endangers people is looked at again within the hour, what can wait within a
	// shift, and nothing is forgotten for longer than a day.
	for p, d := range map[facility.Priority]time.Duration{
		facility.P1: time.Hour, facility.P2: 4 * time.Hour, facility.P3: 8 * time.Hour, facility.P4: 24 * time.Hour,
	} {
		l.MaxShelf[p] = cmp.Or(a.MaxShelf[p], d)
	}
	for _, p := range a.AcknowledgeNote {
		l.AckNote[p] = true
	}
	return l
}

func (l *loader) checkAlarms() {
	a := l.config.Alarms
	l.checkTelling(a)
	for _, p := range slices.Sorted(maps.Keys(a.MaxShelf)) {
		at := "alarms.max_shelf." + string(p)
		if l.priority(at, p); p.Valid() && (a.MaxShelf[p] < shortestShelf || a.MaxShelf[p] > longestShelf) {
			l.bad(at, fmt.Sprintf("An alarm cannot be shelved for %v at most.", a.MaxShelf[p]), "Write a time from 5m to 744h.")
		}
	}
	for i, p := range a.AcknowledgeNote {
		at := fmt.Sprintf("alarms.acknowledge_note[%d]", i)
		l.priority(at, p)
		if slices.Contains(a.AcknowledgeNote[:i], p) {
			l.bad(at, fmt.Sprintf("%s stands twice.", p), "Write each priority once.")
		}
	}
}

// priority refuses what is none.
func (l *loader) priority(at string, p facility.Priority) {
	if p.Valid() {
		return
	}
	cure := "Write P1, P2, P3 or P4."
	if up := facility.Priority(strings.ToUpper(string(p))); up.Valid() {
		cure = fmt.Sprintf("Write %s.", up)
	}
	l.bad(at, fmt.Sprintf("%q is not a priority.", string(p)), cure)
}

// checkTelling checks when people are told. A zero is the default.
func (l *loader) checkTelling(a Alarms) {
	for _, d := range []struct {
		key         string
		is          time.Duration
		least, most time.Duration
	}{
		{"group", a.Group, time.Second, time.Minute},
		{"recovery", a.Recovery, time.Second, time.Hour},
		{"withhold", a.Withhold, time.Minute, 24 * time.Hour},
	} {
		if d.is != 0 && (d.is < d.least || d.is > d.most) {
			l.bad("alarms."+d.key, fmt.Sprintf("People cannot wait for %v.", d.is), fmt.Sprintf("Write a time from %v to %v, or leave it out.", d.least, d.most))
		}
	}
	if a.Duty < 0 || a.Duty > 1000 {
		l.bad("alarms.duty", fmt.Sprintf("%d persons cannot be on duty.", a.Duty), "Write how many answer alarms, from 1, or leave it out.")
	}
}
