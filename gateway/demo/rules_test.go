package demo

import (
	"maps"
	"slices"
	"testing"
	"time"

	"gengfu/devices/simulator"
	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/rules"
)

// watch judges the estate by the rules of configs/demo.yaml over a stretch of
// time, under the controls, and returns the keys of the alarms that were raised.
func watch(t *testing.T, from time.Time, d, step time.Duration, c Controls) []string {
	t.Helper()
	cfg, err := config.BuiltIn("demo")
	if err != nil {
		t.Fatal(err)
	}
	engine, problems := rules.Compile(cfg.Rules, cfg.Estate, rules.WithDetectors(rules.Learners(cfg.Estate.Site.Zone)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, err := loadSite()
	if err != nil {
		t.Fatal(err)
	}
	devices := newBoard(t, s)
	m := s.model()
	state := m.at(from)
	engine.Listen(state.At)
	raised := map[string]bool{}
	note := func(changes []rules.Change) {
		for _, change := range changes {
			if change.Event == facility.AlarmRaise {
				raised[change.Alarm.Key] = true
			}
		}
	}
	note(engine.Observe(devices.readings(t, state, Controls{})...))
	for end := from.Add(d); state.At.Before(end); {
		state = m.Step(state, step, c)
		note(engine.Observe(devices.readings(t, state, c)...))
		note(engine.Advance(state.At))
	}
	return slices.Sorted(maps.Keys(raised))
}

// board is every device of the estate, without lines.
type board map[string]*simulator.Slave

func newBoard(t *testing.T, s *site) board {
	t.Helper()
	b := board{}
	for _, d := range s.Devices {
		unit, _ := d.Address.Unit()
		slave, err := simulator.NewSlave(s.profiles[d.Profile], int(unit))
		if err != nil {
			t.Fatal(err)
		}
		b[d.ID] = slave
	}
	return b
}

// readings are everything that the devices show.
func (b board) readings(t *testing.T, s State, c Controls) []facility.Reading {
	t.Helper()
	show(s, c, func(device, quantity string, value float64) {
		if err := b[device].Set(quantity, value); err != nil {
			t.Fatal(err)
		}
	})
	var out []facility.Reading
	for _, device := range slices.Sorted(maps.Keys(b)) {
		for _, pt := range b[device].Profile().Points {
			v, q, reason := pt.Decode(b[device].Words(pt.Table, pt.Address, pt.Words()))
			id := facility.PointID{Device: device, Quantity: pt.ID}
			out = append(out, facility.Reading{Point: id, Time: s.At, Value: v, Unit: pt.Unit, Quality: q, Reason: reason})
		}
	}
	return out
}

// The sound estate raises no alarm, on a working day and at the weekend, not when
// pumps join and take turns in the evening peak, and not in the weeks in which rules
// learn what is usual.
func TestTheSoundEstateIsQuiet(t *testing.T) {
	for _, c := range []struct {
		from    time.Time
		d, step time.Duration
	}{
		{at(0, 0), 24 * time.Hour, 2 * time.Minute},
		{at(0, 0).AddDate(0, 0, 2), 24 * time.Hour, 2 * time.Minute},
		{at(18, 30), 30 * time.Minute, 2 * time.Second},
		{at(0, 0), 35 * 24 * time.Hour, 10 * time.Minute},
	} {
		if raised := watch(t, c.from, c.d, c.step, Controls{}); len(raised) > 0 {
			t.Errorf("from %s: %v", c.from, raised)
		}
	}
}

// Each thing that can be broken is found, and by as few alarms as can be.
func TestIncidentsAreFound(t *testing.T) {
	broken := func(f func(*Controls)) Controls {
		var c Controls
		f(&c)
		return c
	}
	for _, c := range []struct {
		name     string
		controls Controls
		from     time.Time
		within   time.Duration
		want     []string
	}{
		{"a pump breaks", broken(func(c *Controls) { c.Fault[0] = faultBit }), at(10, 0), 2 * time.Minute, []string{"pump-fault/pump-1"}},
		{"a pump breaks by overload", broken(func(c *Controls) { c.Fault[1] = faultBit | faultBits["overload"] }), at(19, 0), 2 * time.Minute, []string{"pump-fault/pump-2"}},
		{"a flood", broken(func(c *Controls) { c.Flood = true }), at(10, 0), time.Minute, []string{"floor-water/pump-room-inputs"}},
		{"the main bursts", broken(func(c *Controls) { c.Burst[PipeMain] = true }), at(10, 0), 3 * time.Minute, []string{"water-burst/main-water"}},
		{"a pipe of building A bursts at night", broken(func(c *Controls) { c.Burst[PipeA] = true }), at(3, 0), 3 * time.Minute, []string{"water-burst/main-water", "water-burst/water-a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if raised := watch(t, c.from, c.within, time.Second, c.controls); !slices.Equal(raised, c.want) {
				t.Errorf("raised %v, want %v", raised, c.want)
			}
		})
	}
}
