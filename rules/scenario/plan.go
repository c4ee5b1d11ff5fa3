package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// plan is a scenario that has been read and checked.
type plan struct {
	start time.Time
	end   time.Duration
	poll  time.Duration
	steps []step
}

type step struct {
	at, every, until time.Duration // every 0 is once
	taken            time.Duration // when late
	late             bool
	given            []gift // sorted by point
	acknowledge      []string
	expect           []expectation
	looks            bool // Expect is given
}

type gift struct {
	point facility.PointID
	value value
}

// expectation is a change that is to come.
type expectation struct {
	event facility.AlarmEvent
	key   string
	at    time.Duration // -1 is any time
	text  string
}

// events are what may be expected.
var events = []string{
	string(facility.AlarmRaise), string(facility.AlarmClear), string(facility.AlarmRecur),
	string(facility.AlarmTurnUnknown), string(facility.AlarmTurnKnown),
}

// planner reads a scenario and notes what is wrong with it.
type planner struct {
	points   map[string]facility.PointID
	names    []string
	keys     []string
	problems []facility.Problem
}

func newPlanner(estate facility.Estate, engine *rules.Engine) *planner {
	p := &planner{points: map[string]facility.PointID{}}
	add := func(id facility.PointID) {
		p.points[id.String()] = id
		p.names = append(p.names, id.String())
	}
	for _, d := range estate.Devices {
		add(facility.PointID{Device: d.ID, Quantity: facility.OnlineQuantity})
		for _, point := range d.Points {
			add(point.ID)
		}
	}
	for _, f := range engine.Findings() {
		p.keys = append(p.keys, f.Rule+"/"+f.Device)
	}
	return p
}

func (p *planner) wrong(path, what, cure string) {
	p.problems = append(p.problems, facility.Problem{Path: path, What: what, Cure: cure})
}

// unknownName notes that a name is not among those that there are.
func (p *planner) unknownName(path, what, name string, names []string, otherwise string) {
	cure := otherwise
	if near := facility.Nearest(name, names); near != "" {
		cure = fmt.Sprintf("Did you mean %q?", near)
	}
	p.wrong(path, fmt.Sprintf("There is no %s %q.", what, name), cure)
}

// after reads a time after the start; an empty one is otherwise.
func (p *planner) after(path, text string, otherwise time.Duration) time.Duration {
	if text == "" {
		return otherwise
	}
	d, ok := offset(text)
	if !ok {
		p.wrong(path, fmt.Sprintf("%q is no time after the start.", text), "Write it as 90s, 1h30m or 2d3h, up to 400d.")
	}
	return d
}

func (p *planner) plan(s Scenario, zone *time.Location) plan {
	out := plan{poll: s.Poll}
	text := s.Start
	if text == "" {
		text = DefaultStart
	}
	var err error
	for _, layout := range []string{"2006-01-02T15:04", time.DateOnly, "2006-01-02T15:04:05", time.RFC3339} {
		if out.start, err = time.ParseInLocation(layout, text, zone); err == nil {
			break
		}
	}
	if err != nil {
		p.wrong("start", fmt.Sprintf("%q is no day and time.", text), "Write it as 2026-01-05T08:30.")
	}
	if s.Poll < 0 || s.Poll > 0 && s.Poll < 100*time.Millisecond {
		p.wrong("poll", fmt.Sprintf("%s is no time between polls.", s.Poll), "Write a time such as 10s.")
		out.poll = 0
	}
	if len(s.Timeline) == 0 {
		p.wrong("timeline", "Nothing happens in the scenario.", "Write steps with at, given and expect.")
	}
	last := time.Duration(0)
	for i, given := range s.Timeline {
		path := fmt.Sprintf("timeline[%d]", i)
		if given.At == "" {
			p.wrong(path, "The step has no time.", "Write at: 0s, or a time after the start.")
		}
		last = max(last, p.after(path+".at", given.At, 0), p.after(path+".until", given.Until, 0))
	}
	p.problems = slices.CompactFunc(p.problems, func(a, b facility.Problem) bool { return a == b })
	out.end = p.after("end", s.End, last)
	for i, given := range s.Timeline {
		out.steps = append(out.steps, p.step(fmt.Sprintf("timeline[%d]", i), given, out.end))
	}
	if out.poll > 0 && int64(out.end/out.poll)*int64(p.given(out)) > mostReadings {
		p.wrong("poll", "That would be more than 50 million readings.", "Poll less often, or end sooner.")
	}
	return out
}

// given counts the points that are ever given.
func (p *planner) given(of plan) int {
	seen := map[facility.PointID]bool{}
	for _, s := range of.steps {
		for _, g := range s.given {
			seen[g.point] = true
		}
	}
	return len(seen)
}

func (p *planner) step(path string, s Step, end time.Duration) step {
	at, _ := offset(s.At) // it was read before
	out := step{at: at, late: s.Taken != "", looks: s.Expect != nil, acknowledge: s.Acknowledge}
	out.every = p.after(path+".every", s.Every, 0)
	out.until = min(p.after(path+".until", s.Until, end), end)
	out.taken = p.after(path+".taken", s.Taken, 0)
	if s.Every != "" && out.every < 100*time.Millisecond {
		p.wrong(path+".every", fmt.Sprintf("%q is too often.", s.Every), "Write a time such as 1m.")
	}
	if out.every > 0 && (out.until-at)/out.every > mostTurns {
		p.wrong(path+".every", fmt.Sprintf("The step would come more than %d times.", mostTurns), "Write a longer time, an earlier until, or let poll repeat the readings.")
	}
	switch {
	case at > end:
		p.wrong(path+".at", "The step is behind the end of the scenario.", "Write a later end, or leave it out.")
	case out.late && (out.taken > at || out.every > 0):
		p.wrong(path+".taken", "What comes late was taken before it came, and comes once.", "Write a time that is not after at, and no every.")
	}
	for name, given := range s.Given {
		where := path + ".given." + name
		id, ok := p.points[name]
		if !ok {
			p.unknownName(where, "point", name, p.names, `Write the device and one of its quantities, as "pump-1/running".`)
			continue
		}
		v, problem := valueOf(given)
		if problem != nil {
			p.wrong(where, problem.What, problem.Cure)
		}
		v.since = at
		out.given = append(out.given, gift{id, v})
	}
	slices.SortFunc(out.given, func(a, b gift) int { return strings.Compare(a.point.String(), b.point.String()) })
	for i, key := range s.Acknowledge {
		p.alarm(fmt.Sprintf("%s.acknowledge[%d]", path, i), key)
	}
	for i, text := range s.Expect {
		out.expect = append(out.expect, p.expectation(fmt.Sprintf("%s.expect[%d]", path, i), text))
	}
	return out
}

func (p *planner) alarm(path, key string) {
	if !slices.Contains(p.keys, key) {
		p.unknownName(path, "alarm", key, p.keys, `Write the id of a rule of the scenario and a device that it is judged on, as "pump-fault/pump-1".`)
	}
}

func (p *planner) expectation(path, text string) expectation {
	out := expectation{at: -1, text: text}
	words := strings.Fields(text)
	if len(words) != 2 && (len(words) != 4 || words[2] != "at") {
		p.wrong(path, fmt.Sprintf("%q is no change of an alarm.", text), `Write it as "raise pump-fault/pump-1" or "clear pump-fault/pump-1 at 1m5s".`)
		return out
	}
	if !slices.Contains(events, words[0]) {
		p.unknownName(path, "change", words[0], events, "Write one of "+strings.Join(events, ", ")+".")
	}
	p.alarm(path, words[1])
	out.event, out.key = facility.AlarmEvent(words[0]), words[1]
	if len(words) == 4 {
		out.at = p.after(path, words[3], 0)
	}
	return out
}
