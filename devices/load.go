package devices

import (
	"fmt"
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
		pause := pauseOf(l, d, model)
		for period, points := range byPeriod(model) {
			for _, q := range questions(p, points) {
				polls = append(polls, schedule.Poll{Took: p.cost(q, pause), Period: period})
			}
		}
	}
	return schedule.Utilisation(polls)
}

// byPeriod returns the points of each period.
func byPeriod(p profile.Profile) map[time.Duration][]int {
	points := map[time.Duration][]int{}
	for i, pt := range p.Points {
		points[pt.Period] = append(points[pt.Period], i)
	}
	return points
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
