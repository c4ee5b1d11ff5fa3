package devices

import (
	"fmt"
	"slices"
	"time"

	"gengfu/devices/modbus"
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
	w := l.wire()
	if w.Character == 0 {
		return 0
	}
	var polls []schedule.Poll
	for _, d := range devs {
		if d.Line != l.ID {
			continue
		}
		p := d.model(profiles)
		for period, wants := range wantsByPeriod(p) {
			for _, b := range modbus.Plan(wants, modbus.Terms{Limits: p.Limits, Wire: w}) {
				own := w
				own.Gap = max(w.Gap, p.Limits.Pause)
				polls = append(polls, schedule.Poll{Took: b.Request(0).Duration(own), Period: period})
			}
		}
	}
	return schedule.Utilisation(polls)
}

func wantsByPeriod(p profile.Profile) map[time.Duration][]modbus.Want {
	wants := map[time.Duration][]modbus.Want{}
	for _, pt := range p.Points {
		wants[pt.Period] = append(wants[pt.Period], wantOf(pt))
	}
	return wants
}

func wantOf(pt profile.Point) modbus.Want {
	return modbus.Want{Table: pt.Table, Address: pt.Address, Words: pt.Words()}
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

func (c *checker) checkLoad(lines []LineConfig, devs []DeviceConfig) {
	for i, l := range lines {
		if load := PlannedLoad(l, devs, c.profiles); load > refuseLoad {
			c.problems = append(c.problems, overload(i, l, load))
		}
	}
}

// Warnings returns what is doubtful and yet may run: lines whose planned load is
// above 60 % of their time. Validate refuses 90 %.
func Warnings(lines []LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile) []facility.Problem {
	var found []facility.Problem
	for i, l := range lines {
		if load := PlannedLoad(l, devs, profiles); load > warnLoad && load <= refuseLoad {
			found = append(found, overload(i, l, load))
		}
	}
	return found
}

func overload(i int, l LineConfig, load float64) facility.Problem {
	return facility.Problem{
		Path: fmt.Sprintf("lines[%d]", i),
		What: fmt.Sprintf("The polls of the line %q take %.0f %% of its time; %.0f %% is a good limit.", l.ID, 100*load, 100*warnLoad),
		Cure: "Give its devices longer periods, raise the baud rate, or move some of them to another line.",
	}
}
