package rules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// The shipped rules of pumps on a year of a town's network (BATADAL), hour by hour:
// which pumps run, and what flows through them.

// pumpsOf makes the pumps of the network, each with its meter in a room of its own.
func pumpsOf(pumps int) facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "network"}}
	for n := range pumps {
		room := fmt.Sprintf("room-%d", n+1)
		e.Places = append(e.Places, facility.Place{ID: room})
		e.Devices = append(e.Devices,
			device(fmt.Sprintf("pump-%d", n+1), "pump", room, text("泵", "Pump"),
				quantity("running", facility.State, "", 0, 1), quantity("duty", facility.State, "", 0, 1), quantity("frequency", facility.Measure, "Hz")),
			device(fmt.Sprintf("meter-%d", n+1), "water_meter", room, text("表", "Meter"), quantity("flow", facility.Measure, "m3/h")))
	}
	for i := range e.Devices {
		for k := range e.Devices[i].Points {
			e.Devices[i].Points[k].Period = time.Hour
		}
	}
	return e
}

// network plays the hours of a file to rules; through changes what flows through a pump.
func network(t *testing.T, file string, rs []rules.Rule, through func(pump, hour int, running, flow float64) float64) []rules.Change {
	t.Helper()
	path := filepath.Join(seriesFolder(t), "series", "batadal", file)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := strings.Split(strings.SplitN(string(data), "\n", 2)[0], ",")
	const pumps = 11
	e, problems := rules.Compile(rs, pumpsOf(pumps))
	if problems != nil {
		t.Fatal(problems)
	}
	var out []rules.Change
	for hour, row := range table(t, path) {
		at := moment(t, row[0])
		var readings []facility.Reading
		for n := 1; n <= pumps; n++ {
			of := func(what string) float64 {
				return number(t, strings.TrimSpace(row[slices.Index(head, fmt.Sprintf("%s_PU%d", what, n))]))
			}
			running := of("S")
			flow := through(n, hour, running, of("F")*3.6) // L/s
			for id, v := range map[string]float64{
				fmt.Sprintf("pump-%d/running", n): running, fmt.Sprintf("pump-%d/duty", n): 1,
				fmt.Sprintf("pump-%d/frequency", n): 50 * running, fmt.Sprintf("meter-%d/flow", n): flow,
			} {
				p, err := facility.ParsePointID(id)
				if err != nil {
					t.Fatal(err)
				}
				readings = append(readings, facility.Reading{Point: p, Time: at, Value: v, Quality: facility.Good})
			}
		}
		out = append(out, e.Advance(at.Add(-1))...)
		out = append(out, e.Observe(readings...)...)
	}
	return out
}

func TestShippedPumpRulesOnANetwork(t *testing.T) {
	rs := shippedBy(t, "running-without-flow", "pump-short-cycles", "pump-starts-seen")
	asItWas := func(_, _ int, _, flow float64) float64 { return flow }
	var said []string
	for _, c := range network(t, "train_normal.csv", rs, asItWas) {
		if c.Event == facility.AlarmRaise {
			said = append(said, c.Alarm.Key+" "+c.At.String())
		}
	}
	if said != nil {
		t.Errorf("in a year without a fault: %v", said)
	}
	// Each pump that runs is shut off once, in the week of its own: its meter shows
	// nothing for as long as it runs.
	shut := map[int]bool{}
	found := map[string]bool{}
	for _, c := range network(t, "train_normal.csv", rs, func(pump, hour int, running, flow float64) float64 {
		if running == 1 && hour/168 == pump {
			shut[pump] = true
			return 0
		}
		return flow
	}) {
		if c.Event == facility.AlarmRaise {
			found[c.Alarm.Key] = true
		}
	}
	if len(shut) < 5 || len(found) != len(shut) {
		t.Errorf("%d pumps were shut off, found %v", len(shut), found)
	}
	for pump := range shut {
		if key := fmt.Sprintf("running-without-flow/pump-%d", pump); !found[key] {
			t.Errorf("%s was not raised", key)
		}
	}
}
