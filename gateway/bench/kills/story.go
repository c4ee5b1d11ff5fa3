package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// The story is the same whoever tells it: the fact with the sequence n is n seconds
// behind the beginning, of one pump after the other, and says what n makes of it. So what
// there is to be judged is known, however often the hub that took it began anew.

const (
	pumps = 4
	// Each so many facts one is of the beacon, whose bit turns each time. That is always a
	// decision, so that all facts until there are known to be judged when it is kept.
	beaconEach = 10
	beacon     = "beacon"
)

var (
	beginning = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	guard     = facility.Person{Login: "zhang", Name: "张三", Role: facility.RoleDesk}
)

// moment is when the fact of the sequence is.
func moment(n uint64) time.Time { return beginning.Add(time.Duration(n) * time.Second) }

// readings is the fact of the sequence.
func readings(n uint64) []facility.Reading {
	if n%beaconEach == 0 {
		return []facility.Reading{{
			Point: facility.PointID{Device: beacon, Quantity: "fault"}, Time: moment(n), Value: float64(n / beaconEach % 2), Quality: facility.Good,
		}}
	}
	draw := rand.New(rand.NewPCG(n, 0))
	out := make([]facility.Reading, 0, 3)
	for _, r := range []facility.Reading{
		{Point: facility.PointID{Quantity: "fault"}, Value: float64(draw.IntN(3) / 2)},
		{Point: facility.PointID{Quantity: "pressure"}, Value: float64(1 + draw.IntN(3))},
		{Point: facility.PointID{Quantity: "running"}, Value: float64(draw.IntN(2))},
	} {
		r.Point.Device, r.Time, r.Quality = pump(n%pumps), moment(n), facility.Good
		out = append(out, r)
	}
	return out
}

// about is the device that the fact of the sequence is about.
func about(n uint64) string { return readings(n)[0].Point.Device }

func pump(n uint64) string { return fmt.Sprintf("pump-%d", n) }

func estate() facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "kills", Zone: time.FixedZone("CST", 8*3600)}}
	onOff := map[int]facility.Text{0: {ZH: "否", EN: "no"}, 1: {ZH: "是", EN: "yes"}}
	devices := []string{beacon}
	for n := range uint64(pumps) {
		devices = append(devices, pump(n))
	}
	for _, id := range devices {
		d := facility.Device{ID: id, Kind: "pump", Name: facility.Text{ZH: "泵", EN: "pump"}}
		for _, p := range []facility.Point{
			{ID: facility.PointID{Quantity: "fault"}, Kind: facility.State, Labels: onOff},
			{ID: facility.PointID{Quantity: "pressure"}, Kind: facility.Measure},
			{ID: facility.PointID{Quantity: "running"}, Kind: facility.State, Labels: onOff},
		} {
			p.ID.Device = d.ID
			d.Points = append(d.Points, p)
		}
		e.Devices = append(e.Devices, d)
	}
	return e
}

// engine judges the story: a bit, a limit with delays that must outlive the hub, and what
// a window must remember.
func engine() (*rules.Engine, error) {
	every := rules.Selector{Kinds: []string{"pump"}}
	text := facility.Text{ZH: "异常", EN: "trouble"}
	e, problems := rules.Compile([]rules.Rule{
		{ID: "fault", Name: text, Priority: facility.P1, For: every, When: "fault"},
		{ID: "low", Name: text, Priority: facility.P2, For: every, When: "pressure < 2", OnDelay: 6 * time.Second, OffDelay: 5 * time.Second},
		{ID: "restless", Name: text, Priority: facility.P3, For: every, When: "edges(running, 1m) >= 4", Clear: "edges(running, 1m) < 3"},
	}, estate())
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return e, nil
}
