package devices

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/schedule"
	"gengfu/facility"
)

// The share of a line's time that may be planned. Above the first, late answers
// and retries begin to cost periods; above the second they must.
const (
	warnLoad   = 0.6
	refuseLoad = 0.9
)

// PlannedLoad returns the share of the time that the polls of the devices take on
// the line, 1 for all of it, with slaves that answer after 30 ms. It is 0 for a
// line whose speed does not matter or is not known.
func PlannedLoad(l LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile) float64 {
	if l.wire().Character == 0 {
		return 0
	}
	var polls []schedule.Poll
	m := newMasters(l, nil, nil)
	for _, d := range devs {
		if d.Line != l.ID {
			continue
		}
		model := d.model(profiles)
		p := m.peer(l, d, model)
		polls = append(polls, pollsOf(p, model, pauseOf(l, d, model))...)
	}
	return schedule.Utilisation(polls)
}

// pollsOf returns what reading the device takes. Points of a longer period are read
// when those of a shorter one are due anyway, so that they cost what they add; only
// fast ones keep a time of their own.
func pollsOf(p peer, model profile.Profile, pause time.Duration) (polls []schedule.Poll) {
	byPeriod := map[time.Duration][]int{}
	fast := map[time.Duration][]int{}
	for i, pt := range model.Points {
		of := byPeriod
		if (schedule.Point{Class: schedule.ClassOf(pt.Kind), Period: pt.Period}).Fast() {
			of = fast
		}
		of[pt.Period] = append(of[pt.Period], i)
	}
	for period, points := range fast {
		polls = append(polls, schedule.Poll{Took: costOf(p, points, pause), Period: period})
	}
	var due []int
	var before, shorter time.Duration
	for _, period := range slices.Sorted(maps.Keys(byPeriod)) {
		points := byPeriod[period]
		if shorter > 0 && period%shorter > 0 {
			polls = append(polls, schedule.Poll{Took: costOf(p, points, pause), Period: period})
			continue
		}
		due, shorter = append(due, points...), period
		all := costOf(p, due, pause)
		polls = append(polls, schedule.Poll{Took: max(0, all-before), Period: period})
		before = all
	}
	return polls
}

func costOf(p peer, points []int, pause time.Duration) (total time.Duration) {
	for _, q := range questions(p, points) {
		total += p.cost(q, pause)
	}
	return total
}

// questions returns what reads all of the points.
func questions(p peer, points []int) (all []question) {
	for len(points) > 0 {
		q := p.plan(points)
		all = append(all, q)
		points = without(points, q.points)
	}
	return all
}

func without(points, taken []int) []int {
	return slices.DeleteFunc(slices.Clone(points), func(p int) bool { return slices.Contains(taken, p) })
}

// model returns the profile of the device with its own periods.
func (d DeviceConfig) model(profiles map[string]profile.Profile) profile.Profile {
	p := profiles[d.Profile]
	p.Points = slices.Clone(p.Points)
	p.Defaults()
	for i := range p.Points {
		if t := d.Periods[p.Points[i].ID]; t > 0 {
			p.Points[i].Period = t
		}
	}
	return p
}

// Overload returns the lines whose planned load is above 90 % of their time: periods
// cannot be kept.
func Overload(lines []LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile) []facility.Problem {
	var found []facility.Problem
	for i, l := range lines {
		if load := PlannedLoad(l, devs, profiles); load > refuseLoad {
			found = append(found, overload(i, l, load))
		}
	}
	return found
}

// Warnings returns what is doubtful and yet may run: lines whose planned load is
// above 60 % of their time, and meters on a line without even parity.
func Warnings(lines []LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile) []facility.Problem {
	var found []facility.Problem
	for i, l := range lines {
		if load := PlannedLoad(l, devs, profiles); load > warnLoad && load <= refuseLoad {
			found = append(found, overload(i, l, load))
		}
		if meter, ok := wantsParity(l, devs, profiles); ok {
			found = append(found, facility.Problem{
				Path: fmt.Sprintf("lines[%d].serial", i),
				What: fmt.Sprintf("The line %q has no even parity, which meters as %q have by their standard.", l.ID, meter),
				Cure: "Write \"parity: even\", and \"baud: 2400\" when nothing else is known of the meter; or leave it when the meter was set otherwise.",
			})
		}
	}
	return found
}

// wantsParity returns a meter of the line, when it is serial and has no even parity.
func wantsParity(l LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile) (meter string, ok bool) {
	if l.Serial == nil || l.Serial.Parity == "even" {
		return "", false
	}
	for _, d := range devs {
		if d.Line == l.ID && profiles[d.Profile].Language() != profile.Modbus {
			return d.ID, true
		}
	}
	return "", false
}

func overload(i int, l LineConfig, load float64) facility.Problem {
	return facility.Problem{
		Path: fmt.Sprintf("lines[%d]", i),
		What: fmt.Sprintf("The polls of the line %q take %.0f %% of its time; %.0f %% is a good limit.", l.ID, 100*load, 100*warnLoad),
		Cure: "Give its devices longer periods, raise the baud rate, or move some of them to another line.",
	}
}
