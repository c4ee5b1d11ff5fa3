package main

import (
	"fmt"
	"math"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// began is when the readings of the bench begin.
var began = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// Each device of the bench has these quantities, read each period.
var quantities = []facility.Point{
	{ID: facility.PointID{Quantity: "pressure"}, Kind: facility.Measure, Unit: "bar"},
	{ID: facility.PointID{Quantity: "flow"}, Kind: facility.Measure, Unit: "m3/h"},
	{ID: facility.PointID{Quantity: "power"}, Kind: facility.Measure, Unit: "kW"},
	{ID: facility.PointID{Quantity: "starts"}, Kind: facility.Counter},
	{ID: facility.PointID{Quantity: "running"}, Kind: facility.State, Labels: map[int]facility.Text{0: {ZH: "停"}, 1: {ZH: "行"}}},
}

const period = 10 * time.Second

// estate has so many pumps.
func estate(pumps int) facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "bench", Zone: time.FixedZone("CST", 8*3600)}}
	for i := range pumps {
		d := facility.Device{ID: fmt.Sprintf("pump-%05d", i), Kind: "pump", Name: facility.Text{ZH: "泵", EN: "pump"}}
		for _, p := range quantities {
			p.ID.Device, p.Period = d.ID, period
			d.Points = append(d.Points, p)
		}
		e.Devices = append(e.Devices, d)
	}
	return e
}

func rule(id string, r rules.Rule) rules.Rule {
	r.ID, r.Name, r.Priority = id, facility.Text{ZH: "异常", EN: "trouble"}, facility.P3
	return r
}

// mix is ten rules such as a pump house has: limits with a band, delays, windows,
// growth, what has held and how often it came.
func mix() []rules.Rule {
	return []rules.Rule{
		rule("pressure-low", rules.Rule{When: "pressure < 2 bar and running", Clear: "pressure > 2.4 bar", OnDelay: 15 * time.Second, OffDelay: 30 * time.Second}),
		rule("pressure-high", rules.Rule{When: "pressure > 6 bar", Clear: "pressure < 5.5 bar", OnDelay: 15 * time.Second}),
		rule("pressure-mean", rules.Rule{When: "avg(pressure, 15m) < 2.2 bar", Clear: "avg(pressure, 15m) > 2.5 bar", OffDelay: time.Minute}),
		rule("pressure-swings", rules.Rule{When: "max(pressure, 5m) - min(pressure, 5m) > 2 bar", OnDelay: 30 * time.Second}),
		rule("without-flow", rules.Rule{When: "held(running and flow < 0.5 m3/h, 1m)", OffDelay: 10 * time.Second}),
		rule("overload", rules.Rule{When: "avg(power, 15m) > 30 kW", Clear: "avg(power, 15m) < 27 kW"}),
		rule("drift", rules.Rule{When: "avg(power, 1h) / avg(flow, 1h) > 1.5", OnDelay: 10 * time.Minute}),
		rule("starts-often", rules.Rule{When: "increase(starts, 1h) > 12", Clear: "increase(starts, 1h) < 8"}),
		rule("short-cycling", rules.Rule{When: "edges(running, 15m) >= 4", OffDelay: time.Minute}),
		rule("falling", rules.Rule{When: "rate(pressure, 10m) < -3 and hour >= 6 and hour < 22", OnDelay: 20 * time.Second}),
	}
}

// poll is the readings of one device at one time: waves that now and then go over the
// limits, so that alarms come and go.
func poll(out []facility.Reading, d facility.Device, n, round int) []facility.Reading {
	at := began.Add(time.Duration(round) * period)
	phase := float64(round)/90 + float64(n)
	values := [...]float64{
		4 + 2.3*math.Sin(phase), 12 + 11.8*math.Sin(phase*1.3), 22 + 10*math.Sin(phase*0.7),
		float64(round / 40), float64((round + n) / 25 % 2),
	}
	for k, p := range d.Points {
		out = append(out, facility.Reading{Point: p.ID, Time: at, Value: values[k], Unit: p.Unit, Quality: facility.Good})
	}
	return out
}

// polls are one round of the whole estate.
func polls(e facility.Estate, round int) []facility.Reading {
	var out []facility.Reading
	for n, d := range e.Devices {
		out = poll(out, d, n, round)
	}
	return out
}

func compile(rs []rules.Rule, e facility.Estate) (*rules.Engine, error) {
	engine, problems := rules.Compile(rs, e)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	engine.Listen(began)
	return engine, nil
}
