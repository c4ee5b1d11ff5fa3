package demo

import (
	"fmt"
	"time"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

// PastOrder is a work order of the last days that has been done: how it began,
// without ID and number, and what people did to it then, to be applied with
// facility.Order.Do one after the other.
type PastOrder struct {
	Order facility.Order
	Acts  []PastAct
}

// PastAct is one thing that somebody did.
type PastAct struct {
	At  time.Time
	By  facility.Person
	Act facility.Act
}

// PastOrders returns the orders of the days before now, oldest first, so that the
// lists of a new demo are not empty. All of them are ended.
func PastOrders(now time.Time) []PastOrder {
	var out []PastOrder
	for _, s := range pastStories {
		out = append(out, s.order(now))
	}
	return out
}

// story is an order in short.
type story struct {
	ago           time.Duration
	source        facility.OrderSource
	by            string // login of whoever made it, or the system
	title, detail facility.Text
	device, place string
	priority      facility.Priority
	technician    string
	done          string // what was done
	verifiedBy    string
	closed        bool
}

var pastStories = []story{
	{
		ago: 122 * time.Hour, source: facility.FromAlarm, by: facility.SystemActor, device: "pump-2", place: "pump-room", priority: facility.P2,
		title:      facility.Text{ZH: "2号生活泵 电机过载", EN: "Pump 2 motor overload"},
		detail:     facility.Text{ZH: "热继电器动作，备用泵已投入。", EN: "The thermal relay tripped, the standby pump took over."},
		technician: "zhang", done: "清理叶轮杂物，复位热继电器，试运行30分钟正常。", verifiedBy: "wang", closed: true,
	},
	{
		ago: 97 * time.Hour, source: facility.FromDesk, by: "li", place: "building-a", priority: facility.P3,
		title:      facility.Text{ZH: "A栋3单元楼道灯不亮", EN: "Stairway lamp out in building A, entrance 3"},
		detail:     facility.Text{ZH: "302室业主来电。", EN: "Reported by phone from flat 302."},
		technician: "chen", done: "更换声控开关和灯泡。", verifiedBy: "li", closed: true,
	},
	{
		ago: 71 * time.Hour, source: facility.FromAlarm, by: facility.SystemActor, device: "water-b", place: "building-b", priority: facility.P3,
		title:      facility.Text{ZH: "B栋水表 失联", EN: "Water meter B does not answer"},
		detail:     facility.Text{ZH: "RS-485 线路无应答。", EN: "No reply on its RS-485 line."},
		technician: "zhang", done: "B栋弱电井内485端子松动，已重新压接。", verifiedBy: "li", closed: true,
	},
	{
		ago: 44 * time.Hour, source: facility.FromStaff, by: "sun", place: "garage", priority: facility.P3,
		title:      facility.Text{ZH: "车库B区排水沟堵塞", EN: "Garage zone B drain blocked"},
		detail:     facility.Text{ZH: "巡更时发现积水约2平方米。", EN: "Some two square metres of water, seen on patrol."},
		technician: "chen", done: "疏通排水沟，清出落叶一袋。", verifiedBy: "wang", closed: true,
	},
	{
		ago: 26 * time.Hour, source: facility.FromDesk, by: "li", place: "building-b", priority: facility.P2,
		title:      facility.Text{ZH: "B栋1202室水压低", EN: "Low water pressure in flat B-1202"},
		detail:     facility.Text{ZH: "业主反映早高峰水流小。", EN: "Little water in the morning peak, says the resident."},
		technician: "zhang", done: "清洗入户过滤器，出水压力恢复。", verifiedBy: "wang",
	},
}

func (s story) order(now time.Time) PastOrder {
	at := now.Add(-s.ago).UTC().Truncate(time.Second)
	accept, arrive, finish := s.priority.Times()
	o := facility.Order{
		Source: s.source, Title: s.title, Detail: s.detail, Device: s.device, Place: s.place,
		Priority: s.priority, State: facility.OrderNew, Count: 1, CreatedBy: s.by,
		CreatedAt: at, LastAt: at, UpdatedAt: at, Version: 1,
		AcceptBy: at.Add(accept), ArriveBy: at.Add(arrive), FinishBy: at.Add(finish),
	}
	desk, technician, verifier := person("li"), person(s.technician), person(s.verifiedBy)
	p := PastOrder{Order: o}
	add := func(after time.Duration, by facility.Person, act facility.Act) {
		p.Acts = append(p.Acts, PastAct{At: at.Add(after), By: by, Act: act})
	}
	add(2*time.Minute, desk, facility.Act{Action: facility.OrderAssign, Target: s.technician})
	add(4*time.Minute, technician, facility.Act{Action: facility.OrderAccept})
	add(13*time.Minute, technician, facility.Act{Action: facility.OrderArrive})
	add(16*time.Minute, technician, facility.Act{Action: facility.OrderStart})
	add(58*time.Minute, technician, facility.Act{Action: facility.OrderComplete, Note: s.done})
	add(95*time.Minute, verifier, facility.Act{Action: facility.OrderVerify})
	if s.closed {
		add(100*time.Minute, desk, facility.Act{Action: facility.OrderClose})
	}
	return p
}

// person returns one of People.
func person(login string) facility.Person {
	for _, p := range People() {
		if p.Person.Login == login {
			return p.Person
		}
	}
	return facility.Person{}
}

// PastRounds returns the rounds of the plans of the estate that were over before
// now, of the last days, as the demo's guard walked them. A round that is under
// way is among them only when the guard can no longer catch up with it.
func PastRounds(estate facility.Estate, days int, now time.Time) ([]facility.Round, error) {
	s, err := loadSite()
	if err != nil {
		return nil, err
	}
	routes := make(map[string]facility.Route, len(estate.Routes))
	for _, r := range estate.Routes {
		routes[r.ID] = r
	}
	var out []facility.Round
	for _, plan := range estate.Plans {
		route, ok := routes[plan.Route]
		if !ok {
			return nil, fmt.Errorf("past rounds of %s: there is no route %s", plan.ID, plan.Route)
		}
		for _, r := range patrol.Schedule(plan, route, now.AddDate(0, 0, -days), now, s.zone) {
			if now.Sub(r.Start) >= catchUpUntil {
				out = append(out, s.walked(r))
			}
		}
	}
	return out, nil
}

// walked fills the visits of a round with the taps of its walk.
func (s *site) walked(r facility.Round) facility.Round {
	var checkpoints []string
	for _, c := range s.Patrol.Checkpoints {
		checkpoints = append(checkpoints, c.ID)
	}
	reached := 0
	for _, tap := range s.model().walk(checkpoints, r.Start.Add(-time.Nanosecond), r.End) {
		for i := range r.Visits {
			if v := &r.Visits[i]; v.Checkpoint == tap.Checkpoint && v.Verdict == facility.Pending {
				at := tap.At.UTC()
				v.Verdict, v.TappedAt, v.By = facility.OnTime, &at, tap.Guard
				reached++
			}
		}
	}
	for i := range r.Visits {
		if v := &r.Visits[i]; v.Verdict == facility.Pending {
			v.Verdict = facility.Missed
		}
	}
	switch reached {
	case len(r.Visits):
		r.State = facility.RoundCompleted
	case 0:
		r.State = facility.RoundMissed
	default:
		r.State = facility.RoundIncomplete
	}
	return r
}
