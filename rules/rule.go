package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
)

// File is the content of one rule file.
type File struct {
	Rules []Rule `yaml:"rules"`
}

// Rule says what is wrong with a device, how soon somebody must act and whether
// it becomes a work order. Exactly one of When, NoData and Rate is given.
type Rule struct {
	ID       string            `yaml:"id"`       // lower-case letters, digits, "-"; part of the alarm's key
	Name     facility.Text     `yaml:"name"`     // what is wrong, put behind the device's name: "fault"
	Advice   facility.Text     `yaml:"advice"`   // what the person should do
	Priority facility.Priority `yaml:"priority"` // P1 to P4
	For      Selector          `yaml:"for"`
	Optional bool              `yaml:"optional"`  // selecting no device is no mistake
	When     string            `yaml:"when"`      // condition that raises
	Clear    string            `yaml:"clear"`     // condition that clears; without it: not When
	OnDelay  time.Duration     `yaml:"on_delay"`  // how long When must hold
	OffDelay time.Duration     `yaml:"off_delay"` // how long Clear must hold
	Deadband string            `yaml:"deadband"`  // how far a compared value must come back for the rule to clear, instead of Clear: "0.1 m"
	NoData   *NoData           `yaml:"no_data"`
	Rate     *Rate             `yaml:"rate"`
	Order    OrderPolicy       `yaml:"order"`
	Downs    Downs             `yaml:"downs"`   // what is down while an alarm of the rule is active, so that alarms behind it are suppressed
	Safety   bool              `yaml:"safety"`  // lives hang on it: its alarms are never suppressed, and told at once
	Latch    bool              `yaml:"latch"`   // it stays after its condition has gone, until a person resets it
	Realarm  time.Duration     `yaml:"realarm"` // people are told again of what stands, so long after they were told; 0 is never
	Quiet    time.Duration     `yaml:"quiet"`   // the least time between two tellings; 0 is as Realarm

	Groups    map[string]Group    `yaml:"groups"`    // other devices that When and Clear ask together, as sum(subs.flow)
	Limits    map[string]string   `yaml:"limits"`    // numbers with their units that When and Clear name
	Overrides map[string]Override `yaml:"overrides"` // by device: what is otherwise there
}

// Downs is what an alarm takes down with it.
type Downs string

// What can be down, seen from the rule's device.
const (
	DownsNothing Downs = ""
	DownsDevice  Downs = "device" // it cannot be read
	DownsSupply  Downs = "supply" // what is fed through it is without power
	DownsLine    Downs = "line"   // the line that it is on
	DownsPlace   Downs = "place"  // the place that it is at, with all that is there
)

func (d Downs) valid() bool {
	switch d {
	case DownsNothing, DownsDevice, DownsSupply, DownsLine, DownsPlace:
		return true
	}
	return false
}

// Group is some devices that a condition asks together. The device that the rule is
// judged for is never one of them.
type Group struct {
	Selector `yaml:",inline"`
	Here     bool `yaml:"here"`                       // only those at the place of the rule's device
	Children bool `yaml:"children" json:",omitempty"` // only the sub-meters of the rule's device
}

// Override is what is otherwise on one device. What it leaves out is as in the rule.
type Override struct {
	Off      bool              `yaml:"off"` // the rule is not for this device
	Limits   map[string]string `yaml:"limits"`
	When     string            `yaml:"when"`
	Clear    string            `yaml:"clear"`
	OnDelay  *time.Duration    `yaml:"on_delay"`
	OffDelay *time.Duration    `yaml:"off_delay"`
	Priority facility.Priority `yaml:"priority"`
}

// touches reports whether a problem of the field path comes from the override.
func (o Override) touches(path string) bool {
	name, limit := strings.CutPrefix(path, "limits.")
	_, own := o.Limits[name]
	return path == "when" && o.When != "" || path == "clear" && o.Clear != "" || limit && own
}

// with returns the rule as it is with an override.
func (r Rule) with(o Override) Rule {
	r.Overrides = nil
	r.When, r.Clear = cmp.Or(o.When, r.When), cmp.Or(o.Clear, r.Clear)
	if o.Clear != "" {
		r.Deadband = ""
	}
	r.Priority = cmp.Or(o.Priority, r.Priority)
	if o.OnDelay != nil {
		r.OnDelay = *o.OnDelay
	}
	if o.OffDelay != nil {
		r.OffDelay = *o.OffDelay
	}
	if len(o.Limits) > 0 {
		all := maps.Clone(r.Limits)
		maps.Copy(all, o.Limits)
		r.Limits = all
	}
	return r
}

// Selector picks devices. Each list that is given must be met; without any list
// all devices are picked.
type Selector struct {
	Kinds   []string `yaml:"kinds"`
	Devices []string `yaml:"devices"`
	Places  []string `yaml:"places"`
	Having  []string `yaml:"having"`                    // quantities that the device must have, all of them
	Lacking []string `yaml:"lacking"`                   // quantities of which the device must lack at least one
	Except  []string `yaml:"except"`                    // devices that are left out
	Rated   []string `yaml:"rated" json:",omitempty"`   // ratings that the device must have, all of them
	Unrated []string `yaml:"unrated" json:",omitempty"` // ratings of which the device must lack at least one
}

// NoData is a rule that judges silence.
type NoData struct {
	// Quantities must each have had a good reading within After. Without them one
	// good reading of anything but "online" is enough.
	Quantities []string      `yaml:"quantities"`
	After      time.Duration `yaml:"after"`
}

// Rate is a rule that judges the change of one quantity over a time. A counter
// that falls was reset or exchanged: that step counts as no change.
type Rate struct {
	Quantity string        `yaml:"quantity"`
	Over     time.Duration `yaml:"over"`  // the change is taken over at least this long
	Per      time.Duration `yaml:"per"`   // and stated per this long; 0 is an hour
	Above    *float64      `yaml:"above"` // raises when the rate is above, in the unit per Per
	Below    *float64      `yaml:"below"` // raises when the rate is below
	Clear    *float64      `yaml:"clear"` // clears when the rate is back beyond this; without it: beyond the limit
}

// DefaultPer is the time that a rate is stated per when Rate.Per is not given.
const DefaultPer = time.Hour

// LongestDelay bounds every duration of a rule.
const LongestDelay = 31 * 24 * time.Hour

var (
	ruleID    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	givenName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Validate returns what is wrong with the rule by itself, whatever the estate.
// The paths are relative to the rule.
func (r Rule) Validate() []facility.Problem {
	var out []facility.Problem
	add := func(path, what, cure string) {
		out = append(out, facility.Problem{Path: path, What: what, Cure: cure})
	}
	if !ruleID.MatchString(r.ID) {
		add("id", fmt.Sprintf("%q is not a rule id.", r.ID), `Write lower-case letters, digits and "-", such as "pump-fault".`)
	}
	if r.Name.Empty() {
		add("name", "The rule has no name.", "Say what is wrong, as name: {zh: 故障, en: fault}.")
	}
	if !r.Priority.Valid() {
		add("priority", fmt.Sprintf("%q is not a priority.", string(r.Priority)), "Write P1, P2, P3 or P4.")
	}
	if !r.Downs.valid() {
		add("downs", fmt.Sprintf("%q cannot be down.", string(r.Downs)), "Write device, supply, line or place, or leave it out.")
	}
	for _, d := range []struct {
		path string
		d    time.Duration
	}{{"on_delay", r.OnDelay}, {"off_delay", r.OffDelay}} {
		if d.d < 0 || d.d > LongestDelay {
			add(d.path, fmt.Sprintf("%s is no delay.", d.d), "Write a time between 0s and 744h.")
		}
	}
	out = append(out, r.validateTelling()...)
	out = append(out, r.Order.validate()...)
	out = append(out, r.validateDeadband()...)
	out = append(out, r.validateNames()...)
	out = append(out, r.validateUse()...)
	for _, id := range slices.Sorted(maps.Keys(r.Overrides)) {
		out = append(out, r.validateOverride(id, r.Overrides[id])...)
	}
	return append(out, r.validateKind()...)
}

// shortestRealarm keeps a rule from calling people each second.
const shortestRealarm = time.Minute

// validateTelling checks how often people are told.
func (r Rule) validateTelling() []facility.Problem {
	var out []facility.Problem
	for _, d := range []struct {
		path string
		d    time.Duration
	}{{"realarm", r.Realarm}, {"quiet", r.Quiet}} {
		if d.d != 0 && (d.d < shortestRealarm || d.d > LongestDelay) {
			out = append(out, facility.Problem{Path: d.path, What: fmt.Sprintf("%s is no time between two tellings.", d.d), Cure: "Write a time between 1m and 744h, or leave it out."})
		}
	}
	return out
}

// validateNames checks what groups and limits are called.
func (r Rule) validateNames() []facility.Problem {
	var out []facility.Problem
	for _, path := range slices.Sorted(func(yield func(string) bool) {
		for g := range r.Groups {
			if !yield("groups." + g) {
				return
			}
		}
		for l := range r.Limits {
			if !yield("limits." + l) {
				return
			}
		}
	}) {
		_, name, _ := strings.Cut(path, ".")
		switch {
		case !givenName.MatchString(name):
			out = append(out, facility.Problem{Path: path, What: fmt.Sprintf("%q is no name.", name), Cure: `Write lower-case letters, digits and "_", such as high or subs.`})
		case slices.Contains(ownNames, name):
			out = append(out, facility.Problem{Path: path, What: fmt.Sprintf("%s is a word of every condition.", name), Cure: "Write another name."})
		case name == ratedName:
			out = append(out, facility.Problem{Path: path, What: "rated is what the device is rated for.", Cure: "Write another name."})
		}
	}
	if r.When == "" && len(r.Groups)+len(r.Limits) > 0 {
		out = append(out, facility.Problem{Path: "groups", What: "Groups and limits are for a when.", Cure: "Leave them out."})
	}
	return out
}

func (r Rule) validateOverride(id string, o Override) []facility.Problem {
	var out []facility.Problem
	add := func(path, what, cure string) {
		out = append(out, facility.Problem{Path: "overrides." + id + path, What: what, Cure: cure})
	}
	if r.When == "" && (o.When != "" || o.Clear != "" || len(o.Limits) > 0) {
		add("", "The rule has no condition to override.", "Override on_delay, off_delay or priority, or write off: true and a rule for the device.")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Limits)) {
		if _, ok := r.Limits[name]; !ok {
			add(".limits."+name, fmt.Sprintf("The rule has no limit %q.", name), "Write one that stands in limits of the rule.")
		}
	}
	if o.Priority != "" && !o.Priority.Valid() {
		add(".priority", fmt.Sprintf("%q is not a priority.", string(o.Priority)), "Write P1, P2, P3 or P4.")
	}
	for _, delay := range []struct {
		path string
		d    *time.Duration
	}{{".on_delay", o.OnDelay}, {".off_delay", o.OffDelay}} {
		switch d := delay.d; {
		case d == nil:
		case r.NoData != nil:
			add(delay.path, "A no_data rule has no delays.", "Leave it out.")
		case *d < 0 || *d > LongestDelay:
			add(delay.path, fmt.Sprintf("%s is no delay.", *d), "Write a time between 0s and 744h.")
		}
	}
	if o.When != "" && r.Clear == "" {
		for _, p := range r.with(o).validateDeadband() {
			p.Path = "overrides." + id + ".when"
			out = append(out, p)
		}
	}
	for _, c := range []struct{ path, text string }{{"when", o.When}, {"clear", o.Clear}} {
		if c.text != "" {
			out = append(out, syntax("overrides."+id+"."+c.path, c.text)...)
		}
	}
	return out
}

// validateKind checks that the rule is of exactly one kind and that kind's own
// fields.
func (r Rule) validateKind() []facility.Problem {
	kinds := 0
	for _, given := range []bool{r.When != "", r.NoData != nil, r.Rate != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return []facility.Problem{{What: "The rule judges nothing.", Cure: "Give it one of when, no_data and rate."}}
	case kinds > 1:
		return []facility.Problem{{What: "The rule is of more than one kind.", Cure: "Keep one of when, no_data and rate, and make rules of the others."}}
	case r.NoData != nil:
		return r.validateNoData()
	case r.Rate != nil:
		return r.validateRate()
	}
	var out []facility.Problem
	out = append(out, syntax("when", r.When)...)
	if r.Clear != "" {
		out = append(out, syntax("clear", r.Clear)...)
	}
	return out
}

func (r Rule) validateNoData() []facility.Problem {
	var out []facility.Problem
	if r.NoData.After <= 0 || r.NoData.After > LongestDelay {
		out = append(out, facility.Problem{Path: "no_data.after", What: fmt.Sprintf("%s is no time to wait for data.", r.NoData.After), Cure: "Write a time such as 15m, several times the period of the quantity."})
	}
	if r.Clear != "" || r.OnDelay != 0 || r.OffDelay != 0 {
		out = append(out, facility.Problem{Path: "no_data", What: "A no_data rule has no clear, on_delay or off_delay: it clears with the first good reading.", Cure: "Leave them out; no_data.after is the delay."})
	}
	return out
}

func (r Rule) validateRate() []facility.Problem {
	var out []facility.Problem
	add := func(path, what, cure string) {
		out = append(out, facility.Problem{Path: path, What: what, Cure: cure})
	}
	rate := r.Rate
	if rate.Quantity == "" {
		add("rate.quantity", "The rate is of no quantity.", "Name the quantity, such as volume.")
	}
	if rate.Over <= 0 || rate.Over > LongestDelay {
		add("rate.over", fmt.Sprintf("%s is no time to take a change over.", rate.Over), "Write a time such as 30m, several times the period of the quantity.")
	}
	if rate.Per < 0 || rate.Per > LongestDelay {
		add("rate.per", fmt.Sprintf("%s is no time to state a rate per.", rate.Per), "Write a time such as 1h, or leave it out.")
	}
	if r.Clear != "" {
		add("clear", "A rate clears at a rate.", "Write it as rate.clear.")
	}
	for _, limit := range []*float64{rate.Above, rate.Below, rate.Clear} {
		if limit != nil && (math.IsNaN(*limit) || math.IsInf(*limit, 0)) {
			add("rate", "A limit is no number.", "Write a number in the quantity's unit per hour, or per rate.per.")
		}
	}
	switch {
	case (rate.Above == nil) == (rate.Below == nil):
		add("rate", "The rate needs one limit.", "Give it either above or below.")
	case rate.Clear == nil:
	case rate.Above != nil && *rate.Clear > *rate.Above:
		add("rate.clear", "The rate would clear above its limit.", "Write a rate that is not above it.")
	case rate.Below != nil && *rate.Clear < *rate.Below:
		add("rate.clear", "The rate would clear below its limit.", "Write a rate that is not below it.")
	}
	return out
}

// fingerprint is the same as long as the rule judges a device the same. A new name,
// advice, priority or selection does not change it. The rule is as it is with its
// override.
func (r Rule) fingerprint() string {
	text, err := json.Marshal(struct {
		When, Clear       string
		OnDelay, OffDelay time.Duration
		NoData            *NoData
		Rate              *Rate
		Groups            map[string]Group
		Limits            map[string]string
		Deadband          string `json:",omitempty"` // so that rules without one are the same as before there were any
	}{r.When, r.Clear, r.OnDelay, r.OffDelay, r.NoData, r.Rate, r.Groups, r.Limits, r.Deadband})
	if err != nil {
		panic(err) // only an infinite limit could not be written, and Validate refuses it
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
