package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/backtest"
)

// mostFailures is after how many a scenario is given up.
const mostFailures = 5

// play runs one scenario. Paths are relative to it.
func (s Scenario) play(w World, estate facility.Estate, own bool) Outcome {
	out := Outcome{Name: s.Name}
	chosen, problems := s.choose(w.Rules, own)
	if len(problems) > 0 {
		out.Failures = problems
		return out
	}
	engine, problems := rules.Compile(chosen, estate, w.Options...)
	if len(problems) > 0 {
		for _, p := range problems {
			out.Failures = append(out.Failures, facility.Problem{Path: "rules", What: fmt.Sprintf("A rule does not fit the devices: %s: %s", nameOf(chosen, p.Path), p.What), Cure: p.Cure})
		}
		return out
	}
	zone := estate.Site.Zone
	if zone == nil {
		zone = time.UTC
	}
	reader := newPlanner(estate, engine)
	plan := reader.plan(s, zone)
	if len(reader.problems) > 0 {
		out.Failures = reader.problems
		return out
	}
	p := &play{
		plan: plan, engine: engine, player: backtest.NewPlayer(engine, plan.start),
		shown: map[facility.PointID]int{}, next: make([]time.Duration, len(plan.steps)), out: &out,
	}
	p.run()
	return out
}

// choose picks the rules that the scenario names.
func (s Scenario) choose(all []rules.Rule, own bool) ([]rules.Rule, []facility.Problem) {
	var ids []string
	var out []rules.Rule
	for _, r := range all {
		ids = append(ids, r.ID)
		if len(s.Rules) == 0 || slices.Contains(s.Rules, r.ID) {
			r.Optional = r.Optional || own && len(s.Rules) == 0
			out = append(out, r)
		}
	}
	p := &planner{}
	for i, id := range s.Rules {
		if !slices.Contains(ids, id) {
			p.unknownName(fmt.Sprintf("rules[%d]", i), "rule", id, ids, "Write the id of a rule of the files that the site names.")
		}
	}
	return out, p.problems
}

// nameOf finds the rule's id for a problem of Compile.
func nameOf(rs []rules.Rule, path string) string {
	var i int
	if _, err := fmt.Sscanf(path, "rules[%d]", &i); err != nil || i >= len(rs) {
		return path
	}
	_, rest, _ := strings.Cut(path, ".")
	return strings.TrimSuffix(rs[i].ID+"."+rest, ".")
}

// play is a scenario that is under way.
type play struct {
	plan
	engine *rules.Engine
	player *backtest.Player
	points []facility.PointID       // that were given, in the order in which they first were
	values []value                  // of points
	shown  map[facility.PointID]int // index in points
	next   []time.Duration          // of the steps; -1 is never again
	batch  []facility.Reading
	since  []rules.Change // that nobody has expected yet
	out    *Outcome
}

func (p *play) run() {
	for i, s := range p.steps {
		p.next[i] = s.at
	}
	poll := p.poll
	for {
		at := p.nextStep()
		if p.poll > 0 && poll <= p.end {
			// What is given at the instant of a poll is polled with it.
			for ; poll < at || at < 0 && poll <= p.end; poll += p.poll {
				p.read(poll, nil)
			}
		}
		if at < 0 {
			break
		}
		p.step(at, p.poll > 0 && at == poll)
		if at == poll {
			poll += p.poll
		}
		if len(p.out.Failures) >= mostFailures {
			return
		}
	}
	p.add(p.player.Pass(p.time(p.end)))
	if len(p.since) > 0 {
		p.fail("timeline", "Behind the last step that expects something came: "+p.list(p.since)+".", "Expect it in a step at the end.")
	}
}

func (p *play) time(at time.Duration) time.Time { return p.start.Add(at).UTC() }

// nextStep is when a step comes next, or -1.
func (p *play) nextStep() time.Duration {
	first := time.Duration(-1)
	for _, at := range p.next {
		if at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// step does all steps of one instant: first what is read, then what comes late, then
// what people do, and at last what is expected.
func (p *play) step(at time.Duration, poll bool) {
	var now []int
	var given []facility.PointID
	for i, s := range p.steps {
		if p.next[i] != at {
			continue
		}
		now = append(now, i)
		p.next[i] = -1
		if s.every > 0 && at+s.every <= s.until {
			p.next[i] = at + s.every
		}
		if !s.late {
			given = p.give(given, s, at)
		}
	}
	if poll {
		given = p.points
	}
	if len(given) > 0 {
		p.read(at, given)
	}
	for _, i := range now {
		if s := p.steps[i]; s.late {
			p.takeLate(s, at)
		}
	}
	for _, i := range now {
		for n, key := range p.steps[i].acknowledge {
			p.acknowledge(fmt.Sprintf("timeline[%d].acknowledge[%d]", i, n), key, at)
		}
	}
	for _, i := range now {
		if p.steps[i].looks {
			p.add(p.player.Pass(p.time(at)))
			p.look(i, at)
		}
	}
}

// give notes what points show from now on.
func (p *play) give(given []facility.PointID, s step, at time.Duration) []facility.PointID {
	for _, g := range s.given {
		n, ok := p.shown[g.point]
		if !ok {
			n = len(p.points)
			p.shown[g.point] = n
			p.points, p.values = append(p.points, g.point), append(p.values, value{})
		}
		p.values[n] = g.value
		p.values[n].since = at
		if !slices.Contains(given, g.point) {
			given = append(given, g.point)
		}
	}
	return given
}

// read reads the points, all when there are none, at one instant.
func (p *play) read(at time.Duration, points []facility.PointID) {
	p.batch = p.batch[:0]
	when := p.time(at)
	if points == nil {
		for n, v := range p.values {
			if !v.silent {
				p.batch = append(p.batch, v.reading(p.points[n], at, when))
			}
		}
	}
	for _, id := range points {
		if v := p.values[p.shown[id]]; !v.silent {
			p.batch = append(p.batch, v.reading(id, at, when))
		}
	}
	p.take(when)
}

func (p *play) takeLate(s step, at time.Duration) {
	p.batch = p.batch[:0]
	for _, g := range s.given {
		if !g.value.silent {
			g.value.since = s.taken
			p.batch = append(p.batch, g.value.reading(g.point, s.taken, p.time(s.taken)))
		}
	}
	p.take(p.time(at))
}

func (p *play) take(arrived time.Time) {
	if len(p.batch) > 0 {
		p.out.Readings += len(p.batch)
		p.add(p.player.Take(arrived, p.batch...))
	}
}

func (p *play) add(changes []rules.Change) {
	p.out.Changes = append(p.out.Changes, changes...)
	p.since = append(p.since, changes...)
}

func (p *play) acknowledge(path, key string, at time.Duration) {
	p.add(p.player.Pass(p.time(at)))
	for _, a := range p.engine.Standing() {
		if a.Key != key {
			continue
		}
		c, err := p.engine.Acknowledge(a.ID, "scenario", "", p.time(at))
		if errors.Is(err, facility.ErrUnlawful) {
			p.fail(path, fmt.Sprintf("The alarm is acknowledged already at %s.", said(at)), "Leave it out.")
			return
		}
		p.out.Changes = append(p.out.Changes, c) // the scenario did it: nobody need expect it
		return
	}
	p.fail(path, fmt.Sprintf("The alarm does not stand at %s.", said(at)), "Acknowledge it while it stands.")
}

// look holds what alarms did against what the step expects.
func (p *play) look(step int, at time.Duration) {
	left := p.since
	p.since = nil
	var missing []string
	first := -1
	for n, want := range p.steps[step].expect {
		i := slices.IndexFunc(left, func(c rules.Change) bool {
			return c.Event == want.event && c.Alarm.Key == want.key && (want.at < 0 || c.At.Equal(p.time(want.at)))
		})
		if i < 0 {
			missing = append(missing, want.text)
			if first < 0 {
				first = n
			}
			continue
		}
		left = slices.Delete(slices.Clone(left), i, i+1)
	}
	path := fmt.Sprintf("timeline[%d].expect", step)
	switch {
	case len(missing) > 0:
		p.fail(fmt.Sprintf("%s[%d]", path, first), fmt.Sprintf("Until %s this did not come: %s; besides what is expected came: %s.", said(at), strings.Join(missing, ", "), p.list(left)), "Mend the rule, or what is expected of it.")
	case len(left) > 0:
		p.fail(path, fmt.Sprintf("Until %s came what nobody expects: %s.", said(at), p.list(left)), "Mend the rule, or expect it.")
	}
}

// list says changes as they are expected.
func (p *play) list(changes []rules.Change) string {
	if len(changes) == 0 {
		return "nothing"
	}
	var out []string
	for i, c := range changes {
		if i == 10 {
			out = append(out, fmt.Sprintf("and %d more", len(changes)-i))
			break
		}
		out = append(out, fmt.Sprintf("%s %s at %s", c.Event, c.Alarm.Key, said(c.At.Sub(p.start))))
	}
	return strings.Join(out, ", ")
}

func (p *play) fail(path, what, cure string) {
	p.out.Failures = append(p.out.Failures, facility.Problem{Path: path, What: what, Cure: cure})
}
