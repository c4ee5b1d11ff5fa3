package rules_test

import (
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

func TestTimelines(t *testing.T) {
	pumps := rules.Selector{Kinds: []string{"pump"}}
	fault := rule("fault", rules.Rule{For: pumps, When: "fault"})
	delayed := rule("delayed", rules.Rule{For: pumps, When: "fault", OnDelay: 10 * time.Second, OffDelay: 20 * time.Second})
	pressure := rule("low", rules.Rule{For: pumps, When: "running and outlet_pressure < 2.0", Clear: "outlet_pressure > 2.5"})
	meter := rules.Selector{Devices: []string{"main-water"}}
	silent := rule("silent", rules.Rule{For: meter, NoData: &rules.NoData{After: 30 * time.Second}})
	silentEach := rule("silent", rules.Rule{For: meter, NoData: &rules.NoData{After: 30 * time.Second, Quantities: []string{"flow", "total"}}})
	burst := rule("burst", rules.Rule{For: meter, Rate: &rules.Rate{Quantity: "total", Over: time.Minute, Above: ptr(30.0), Clear: ptr(13.0)}})
	falling := rule("falling", rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, Rate: &rules.Rate{Quantity: "level", Over: time.Minute, Per: time.Minute, Below: ptr(-0.1)}})

	tests := []struct {
		name  string
		rule  rules.Rule
		lines []string
		want  []string
	}{
		{
			"a bit raises and clears at once", fault,
			[]string{"0s pump-1/fault=0", "1s pump-1/fault=1", "2s pump-1/fault=1", "3s pump-1/fault=0"},
			[]string{"1s raise fault/pump-1 unacknowledged", "3s clear fault/pump-1 returned"},
		},
		{
			"each device has its own alarm", fault,
			[]string{"0s pump-1/fault=1 pump-2/fault=1", "1s ack fault/pump-2", "2s pump-2/fault=0"},
			[]string{"0s raise fault/pump-1 unacknowledged", "0s raise fault/pump-2 unacknowledged", "1s acknowledge fault/pump-2 acknowledged", "2s clear fault/pump-2 normal"},
		},
		{
			"a returned alarm recurs as the same", fault,
			[]string{"0s pump-1/fault=1", "1s pump-1/fault=0", "2s pump-1/fault=1", "3s pump-1/fault=0", "4s ack fault/pump-1", "5s pump-1/fault=1"},
			[]string{
				"0s raise fault/pump-1 unacknowledged", "1s clear fault/pump-1 returned", "2s recur fault/pump-1 unacknowledged x2",
				"3s clear fault/pump-1 returned x2", "4s acknowledge fault/pump-1 normal x2", "5s raise fault/pump-1 unacknowledged",
			},
		},
		{
			"an on-delay that a reading finds", delayed,
			[]string{"0s pump-1/fault=1", "13s pump-1/fault=1"},
			[]string{"10s raise delayed/pump-1 unacknowledged"},
		},
		{
			"an on-delay that time finds", delayed,
			[]string{"0s pump-1/fault=1", "9s tick", "10s tick", "11s tick"},
			[]string{"10s raise delayed/pump-1 unacknowledged"},
		},
		{
			"an on-delay that ended before the condition did", delayed,
			[]string{"0s pump-1/fault=1", "11s pump-1/fault=0", "40s tick"},
			[]string{"10s raise delayed/pump-1 unacknowledged", "31s clear delayed/pump-1 returned"},
		},
		{
			"a reading at the deadline still counts", delayed,
			[]string{"0s pump-1/fault=1", "10s pump-1/fault=0", "60s tick"},
			nil,
		},
		{
			"a short fault is none", delayed,
			[]string{"0s pump-1/fault=1", "5s pump-1/fault=0", "6s pump-1/fault=1", "15s tick", "16s tick"},
			[]string{"16s raise delayed/pump-1 unacknowledged"},
		},
		{
			"a short recovery is none", delayed,
			[]string{"0s pump-1/fault=1", "12s pump-1/fault=0", "20s pump-1/fault=1", "90s tick", "91s pump-1/fault=0", "111s tick"},
			[]string{"10s raise delayed/pump-1 unacknowledged", "1m51s clear delayed/pump-1 returned"},
		},
		{
			"bad data holds the on-delay", delayed,
			[]string{"0s pump-1/fault=1", "4s pump-1/fault=bad", "60s tick", "100s pump-1/fault=1", "105s tick", "106s tick"},
			[]string{"1m46s raise delayed/pump-1 unacknowledged"},
		},
		{
			"bad data does not clear", delayed,
			[]string{"0s pump-1/fault=1", "10s tick", "12s pump-1/fault=0", "15s pump-1/fault=bad", "100s tick", "101s pump-1/fault=0", "117s tick", "118s tick"},
			[]string{
				"10s raise delayed/pump-1 unacknowledged", "15s unknown delayed/pump-1 unacknowledged unknown",
				"1m41s known delayed/pump-1 unacknowledged", "1m58s clear delayed/pump-1 returned",
			},
		},
		{
			"bad data then the fault again", delayed,
			[]string{"0s pump-1/fault=1", "10s tick", "12s pump-1/fault=0", "15s pump-1/fault=bad", "20s pump-1/fault=1", "200s tick"},
			[]string{"10s raise delayed/pump-1 unacknowledged", "15s unknown delayed/pump-1 unacknowledged unknown", "20s known delayed/pump-1 unacknowledged"},
		},
		{
			"an acknowledged alarm stays while unknown", fault,
			[]string{"0s pump-1/fault=1", "1s pump-1/fault=bad", "2s ack fault/pump-1", "3s pump-1/fault=0"},
			[]string{
				"0s raise fault/pump-1 unacknowledged", "1s unknown fault/pump-1 unacknowledged unknown",
				"2s acknowledge fault/pump-1 acknowledged unknown", "3s known fault/pump-1 acknowledged", "3s clear fault/pump-1 normal",
			},
		},
		{
			"uncertain data is judged", fault,
			[]string{"0s pump-1/fault=uncertain:1"},
			[]string{"0s raise fault/pump-1 unacknowledged"},
		},
		{
			"not a number is bad", fault,
			[]string{"0s pump-1/fault=1", "1s pump-1/fault=NaN", "2s pump-1/fault=+Inf"},
			[]string{"0s raise fault/pump-1 unacknowledged", "1s unknown fault/pump-1 unacknowledged unknown"},
		},
		{
			"what is late is not judged", fault,
			[]string{"5s pump-1/fault=0", "3s pump-1/fault=1", "5s pump-1/fault=1"},
			nil,
		},
		{
			"a limit has a band", pressure,
			[]string{
				"0s pump-1/running=1 pump-1/outlet_pressure=4", "1s pump-1/outlet_pressure=1.9", "2s pump-1/outlet_pressure=2.3",
				"3s pump-1/outlet_pressure=1.9", "4s pump-1/outlet_pressure=2.6",
			},
			[]string{"1s raise low/pump-1 unacknowledged", "4s clear low/pump-1 returned"},
		},
		{
			"a clear condition does not clear what still holds", rule("odd", rules.Rule{For: pumps, When: "outlet_pressure < 3", Clear: "outlet_pressure > 2"}),
			[]string{"0s pump-1/outlet_pressure=1", "1s pump-1/outlet_pressure=2.5", "2s pump-1/outlet_pressure=3"},
			[]string{"0s raise odd/pump-1 unacknowledged", "2s clear odd/pump-1 returned"},
		},
		{
			"half of what is needed is not judged", pressure,
			[]string{"0s pump-1/outlet_pressure=1", "1s tick", "2s pump-1/running=1"},
			[]string{"2s raise low/pump-1 unacknowledged"},
		},
		{
			"one instant is judged as a whole", rule("exclusive", rules.Rule{For: pumps, When: "fault and not dry_run"}),
			[]string{"0s pump-1/fault=0 pump-1/dry_run=0", "1s pump-1/fault=1 pump-1/dry_run=1", "2s pump-1/fault=0 pump-1/dry_run=0"},
			nil,
		},
		{
			"another point's older reading is judged at the latest instant", pressure,
			[]string{"0s pump-1/running=1 pump-1/outlet_pressure=1", "10s pump-1/running=1", "8s pump-1/outlet_pressure=4"},
			[]string{"0s raise low/pump-1 unacknowledged", "10s clear low/pump-1 returned"},
		},
		{
			"other devices are asked by name", rule("tank-dry", rules.Rule{For: pumps, When: `running and value("tank/level") < 0.5`}),
			[]string{"0s pump-1/running=1 pump-2/running=0", "1s tank/level=0.4", "2s tank/level=bad", "3s tank/level=0.6"},
			[]string{
				"1s raise tank-dry/pump-1 unacknowledged", "2s unknown tank-dry/pump-1 unacknowledged unknown",
				"3s known tank-dry/pump-1 unacknowledged", "3s clear tank-dry/pump-1 returned",
			},
		},
		{
			"the hour is local", rule("night", rules.Rule{For: meter, When: "flow > 1 and hour >= 12.5 and hour < 13", Clear: "flow < 0.5"}),
			[]string{"29m59s main-water/flow=2", "30m main-water/flow=2", "1h main-water/flow=2", "1h1m main-water/flow=0"},
			[]string{"30m0s raise night/main-water unacknowledged", "1h1m0s clear night/main-water returned"},
		},
		{
			"the day of the week is local", rule("sunday", rules.Rule{For: meter, When: "flow > 1 and weekday == 0"}),
			[]string{"0s main-water/flow=2", "11h59m59s main-water/flow=2", "12h main-water/flow=2"},
			[]string{"0s raise sunday/main-water unacknowledged", "12h0m0s clear sunday/main-water returned"},
		},
		{
			"every device knows whether it is online", rule("offline", rules.Rule{For: meter, When: "online == 0", OnDelay: 30 * time.Second}),
			[]string{"0s main-water/online=0", "30s tick", "40s main-water/online=1"},
			[]string{"30s raise offline/main-water unacknowledged", "40s clear offline/main-water returned"},
		},
		{
			"a value that fails is not known", rule("modulo", rules.Rule{For: meter, When: "10 % int(flow) == 1"}),
			[]string{"0s main-water/flow=3", "1s main-water/flow=0", "2s main-water/flow=5"},
			[]string{"0s raise modulo/main-water unacknowledged", "1s unknown modulo/main-water unacknowledged unknown", "2s known modulo/main-water unacknowledged", "2s clear modulo/main-water returned"},
		},

		{
			"silence counts from the last good reading", silent,
			[]string{"0s tick", "10s main-water/flow=1", "39s tick", "41s tick", "50s main-water/total=7"},
			[]string{"40s raise silent/main-water unacknowledged", "50s clear silent/main-water returned"},
		},
		{
			"what was never heard is silent since somebody listens", silent,
			[]string{"5s tick", "34s tick", "35s tick", "40s main-water/flow=bad", "41s main-water/flow=1", "70s tick", "72s tick"},
			[]string{"35s raise silent/main-water unacknowledged", "41s clear silent/main-water returned", "1m11s recur silent/main-water unacknowledged x2"},
		},
		{
			"bad readings are silence", silent,
			[]string{"0s tick", "10s main-water/flow=1", "20s main-water/flow=bad", "30s main-water/flow=bad", "45s main-water/flow=bad"},
			[]string{"40s raise silent/main-water unacknowledged"},
		},
		{
			"being online is no data", silent,
			[]string{"0s tick", "20s main-water/online=1", "30s tick"},
			[]string{"30s raise silent/main-water unacknowledged"},
		},
		{
			"a reading at the deadline is in time", silent,
			[]string{"0s tick", "30s main-water/flow=1", "60s main-water/flow=1", "90s tick"},
			[]string{"1m30s raise silent/main-water unacknowledged"},
		},
		{
			"silence that a backlog shows", silent,
			[]string{"0s main-water/flow=1", "50s main-water/flow=1"},
			[]string{"30s raise silent/main-water unacknowledged", "50s clear silent/main-water returned"},
		},
		{
			"an old reading does not clear silence", silent,
			[]string{"0s tick", "30s tick", "-20s main-water/flow=1", "1s main-water/flow=1"},
			[]string{"30s raise silent/main-water unacknowledged", "30s clear silent/main-water returned"},
		},
		{
			"silence before listening again is forgiven", silent,
			[]string{"0s tick", "10s main-water/flow=1", "100s listen", "101s tick", "129s tick", "130s tick"},
			[]string{"2m10s raise silent/main-water unacknowledged"},
		},
		{
			"listening again does not clear", silent,
			[]string{"0s tick", "30s tick", "40s listen", "41s main-water/flow=bad", "50s tick"},
			[]string{"30s raise silent/main-water unacknowledged"},
		},
		{
			"each quantity that is named must come", silentEach,
			[]string{"0s tick", "20s main-water/flow=1", "31s tick", "32s main-water/flow=1", "33s main-water/total=1", "61s main-water/total=1", "62s tick"},
			[]string{"30s raise silent/main-water unacknowledged", "33s clear silent/main-water returned", "1m2s recur silent/main-water unacknowledged x2"},
		},

		{
			"a counter that grows fast", burst,
			[]string{
				"0s main-water/total=100", "30s main-water/total=100.1", "60s main-water/total=100.2", // 12 m3/h
				"90s main-water/total=100.7", "120s main-water/total=101.2", // 36, then 60
				"150s main-water/total=101.3", "180s main-water/total=101.4", // 36, 12
			},
			[]string{"1m30s raise burst/main-water unacknowledged", "3m0s clear burst/main-water returned"},
		},
		{
			"a counter that was exchanged", burst,
			[]string{"0s main-water/total=100", "60s main-water/total=100.1", "120s main-water/total=5000.1", "180s main-water/total=0.2", "240s main-water/total=0.3"},
			[]string{"2m0s raise burst/main-water unacknowledged", "3m0s clear burst/main-water returned"},
		},
		{
			"a counter before its time has passed", burst,
			[]string{"0s main-water/total=100", "30s main-water/total=200"},
			nil,
		},
		{
			"a change is taken over a gap as a whole", burst,
			[]string{"0s main-water/total=100", "10s main-water/total=bad", "1h main-water/total=129", "61m main-water/total=130"},
			[]string{"1h1m0s raise burst/main-water unacknowledged"},
		},
		{
			"a level that falls", falling,
			[]string{"0s tank/level=3", "60s tank/level=2.95", "120s tank/level=2.8", "180s tank/level=2.75"},
			[]string{"2m0s raise falling/tank unacknowledged", "3m0s clear falling/tank returned"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantLines(t, script(t, compile(t, test.rule), test.lines...), test.want)
		})
	}
}

// TestLifeCycle is every state under every event.
func TestLifeCycle(t *testing.T) {
	reach := map[facility.AlarmState][]string{
		facility.AlarmNormal:         {"0s pump-1/fault=0"},
		facility.AlarmUnacknowledged: {"0s pump-1/fault=1"},
		facility.AlarmAcknowledged:   {"0s pump-1/fault=1", "1s ack r/pump-1"},
		facility.AlarmReturned:       {"0s pump-1/fault=1", "1s pump-1/fault=0"},
	}
	tests := []struct {
		from facility.AlarmState
		line string
		want []string
	}{
		{facility.AlarmNormal, "5s pump-1/fault=1", []string{"5s raise r/pump-1 unacknowledged"}},
		{facility.AlarmNormal, "5s pump-1/fault=0", nil},
		{facility.AlarmNormal, "5s pump-1/fault=bad", nil},
		{facility.AlarmUnacknowledged, "5s pump-1/fault=1", nil},
		{facility.AlarmUnacknowledged, "5s pump-1/fault=0", []string{"5s clear r/pump-1 returned"}},
		{facility.AlarmUnacknowledged, "5s pump-1/fault=bad", []string{"5s unknown r/pump-1 unacknowledged unknown"}},
		{facility.AlarmUnacknowledged, "5s ack r/pump-1", []string{"5s acknowledge r/pump-1 acknowledged"}},
		{facility.AlarmAcknowledged, "5s pump-1/fault=1", nil},
		{facility.AlarmAcknowledged, "5s pump-1/fault=0", []string{"5s clear r/pump-1 normal"}},
		{facility.AlarmAcknowledged, "5s pump-1/fault=bad", []string{"5s unknown r/pump-1 acknowledged unknown"}},
		{facility.AlarmReturned, "5s pump-1/fault=1", []string{"5s recur r/pump-1 unacknowledged x2"}},
		{facility.AlarmReturned, "5s pump-1/fault=0", nil},
		{facility.AlarmReturned, "5s pump-1/fault=bad", []string{"5s unknown r/pump-1 returned unknown"}},
		{facility.AlarmReturned, "5s ack r/pump-1", []string{"5s acknowledge r/pump-1 normal"}},
	}
	for _, test := range tests {
		t.Run(string(test.from)+" "+test.line, func(t *testing.T) {
			e := compile(t, rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault"}))
			script(t, e, reach[test.from]...)
			changes := play(t, e, test.line)
			var got []string
			for _, c := range changes {
				got = append(got, describe(c))
				if c.From != test.from {
					t.Errorf("%s comes from %s", describe(c), c.From)
				}
			}
			wantLines(t, got, test.want)
		})
	}
}
