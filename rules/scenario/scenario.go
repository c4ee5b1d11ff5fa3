// Package scenario holds rules against stories: at such a time such readings come, and
// these alarms are expected of them. A story of a month takes less than a second. It
// plays them to the engine that judges live; it opens nothing and reads no clock.
// configs/rules/README.md says how scenarios are written.
package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// File is the content of one scenario file.
type File struct {
	Devices   []Device   `yaml:"devices"` // in place of the estate's; without them the estate's
	Scenarios []Scenario `yaml:"scenarios"`
}

// Device is a device of a profile, or with points of its own.
type Device struct {
	ID      string            `yaml:"id"`
	Profile string            `yaml:"profile"`
	Kind    string            `yaml:"kind"`
	Place   string            `yaml:"place"`
	Parent  string            `yaml:"parent"`
	Points  []Point           `yaml:"points"` // besides those of the profile
	Ratings map[string]string `yaml:"ratings"`
	Period  time.Duration     `yaml:"period"` // of its points; what is not repeated for three of them, at least 3 min, is stale
}

// Point is one quantity of a device.
type Point struct {
	ID   string             `yaml:"id"`
	Kind facility.PointKind `yaml:"kind"` // measure unless it says otherwise
	Unit string             `yaml:"unit"`
}

// Scenario is one story.
type Scenario struct {
	Name     string        `yaml:"name"`
	Start    string        `yaml:"start"` // what day and time it begins, of the site's zone; DefaultStart unless it says otherwise
	End      string        `yaml:"end"`   // after the start; the last step unless it says otherwise
	Rules    []string      `yaml:"rules"` // the ids of the rules that judge; without them all
	Poll     time.Duration `yaml:"poll"`  // how often what was given is read again; 0 is never
	Timeline []Step        `yaml:"timeline"`
}

// DefaultStart is a Monday.
const DefaultStart = "2026-01-05T00:00"

// Longest is how long a story may be.
const Longest = 400 * 24 * time.Hour

// mostReadings bounds how many readings one story may poll.
const mostReadings = 50_000_000

// mostTurns bounds how often one step may come.
const mostTurns = 1_000_000

// Step is what happens at one time, or again and again.
type Step struct {
	At    string `yaml:"at"`    // after the start: 90s, 1h30m, 2d3h
	Every string `yaml:"every"` // again each so long
	Until string `yaml:"until"` // not after; the scenario's end unless it says otherwise
	// Taken is when the readings were taken, if they come late; they are not polled.
	Taken       string         `yaml:"taken"`
	Given       map[string]any `yaml:"given"` // by point: a number, yes, no, bad, silent, "uncertain 3", {value: 3, per_hour: 1.5}
	Acknowledge []string       `yaml:"acknowledge"`
	// Expect is all that alarms did since the last step that expects something; nil
	// does not look. "raise pump-fault/pump-1", with " at 5s" if it matters when.
	Expect []string `yaml:"expect"`
}

// World is what scenarios are played in.
type World struct {
	Rules   []rules.Rule
	Estate  facility.Estate
	Options []rules.Option
	// Profile returns a device of the profile, with the id, or false. May be nil when
	// no scenario names profiles.
	Profile func(profile, id string) (facility.Device, bool)
}

// Outcome is what became of a scenario. It passed when it has no failures.
type Outcome struct {
	Name     string
	Changes  []rules.Change
	Readings int
	Failures []facility.Problem // paths from the file on: "scenarios[0].timeline[2].expect[0]"
}

// Run plays all scenarios of the file. What is wrong with them is among the failures.
func (f File) Run(w World) []Outcome {
	estate, problems := f.estate(w)
	out := make([]Outcome, 0, len(f.Scenarios))
	for i, s := range f.Scenarios {
		o := Outcome{Name: s.Name, Failures: problems}
		if len(problems) == 0 {
			o = s.play(w, estate, len(f.Devices) > 0)
			o.Failures = facility.Under(fmt.Sprintf("scenarios[%d]", i), o.Failures)
		}
		out = append(out, o)
	}
	if len(out) == 0 {
		out = append(out, Outcome{Failures: append(problems, facility.Problem{Path: "scenarios", What: "The file has no scenario.", Cure: "Write scenarios: with a name and a timeline."})})
	}
	return out
}

// estate is the world's, or that of the file's own devices.
func (f File) estate(w World) (facility.Estate, []facility.Problem) {
	if len(f.Devices) == 0 {
		return w.Estate, nil
	}
	e := facility.Estate{Site: w.Estate.Site, Calendars: w.Estate.Calendars}
	places := map[string]bool{}
	seen := map[string]bool{}
	var problems []facility.Problem
	for i, d := range f.Devices {
		made, p := d.make(w)
		if d.ID == "" || seen[d.ID] {
			p = append(p, facility.Problem{Path: "id", What: fmt.Sprintf("%q is no id for this device.", d.ID), Cure: "Give each device an id of its own."})
		}
		seen[d.ID] = true
		problems = append(problems, facility.Under(fmt.Sprintf("devices[%d]", i), p)...)
		if d.Place != "" && !places[d.Place] {
			places[d.Place] = true
			e.Places = append(e.Places, facility.Place{ID: d.Place})
		}
		e.Devices = append(e.Devices, made)
	}
	return e, problems
}

func (d Device) make(w World) (facility.Device, []facility.Problem) {
	out := facility.Device{ID: d.ID, Name: facility.Text{ZH: d.ID, EN: d.ID}}
	var problems []facility.Problem
	if d.Profile != "" {
		known, ok := facility.Device{}, false
		if w.Profile != nil {
			known, ok = w.Profile(d.Profile, d.ID)
		}
		if !ok {
			problems = append(problems, facility.Problem{Path: "profile", What: fmt.Sprintf("There is no profile %q.", d.Profile), Cure: "Write the id of a profile, or kind and points in its place."})
		}
		out.Kind, out.Points = known.Kind, append(out.Points, known.Points...)
	}
	if d.Kind != "" {
		out.Kind = d.Kind
	}
	out.Place, out.Parent, out.Ratings = d.Place, d.Parent, d.Ratings
	problems = append(problems, facility.Under("ratings", rules.CheckRatings(d.Ratings))...)
	for i, p := range d.Points {
		kind := p.Kind
		switch kind {
		case "":
			kind = facility.Measure
		case facility.Measure, facility.Counter, facility.State, facility.Signal:
		default:
			problems = append(problems, facility.Problem{Path: fmt.Sprintf("points[%d].kind", i), What: fmt.Sprintf("%q is no kind of point.", kind), Cure: "Write measure, counter, state or alarm."})
		}
		out.Points = append(out.Points, facility.Point{ID: facility.PointID{Device: d.ID, Quantity: p.ID}, Kind: kind, Unit: p.Unit})
	}
	if d.Period > 0 {
		for i := range out.Points {
			out.Points[i].Period = d.Period
		}
	}
	return out, problems
}

// offset reads a time after the start: 90s, 1h30m, 2d3h.
func offset(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	var whole time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > int(Longest/(24*time.Hour)) {
			return 0, false
		}
		whole = time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return whole, true
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || whole+d > Longest {
		return 0, false
	}
	return whole + d, true
}

// said is how offset reads a time.
func said(d time.Duration) string {
	const day = 24 * time.Hour
	text := (d % day).String()
	if d < day {
		return text
	}
	if d%day == 0 {
		text = ""
	}
	return fmt.Sprintf("%dd%s", d/day, text)
}
