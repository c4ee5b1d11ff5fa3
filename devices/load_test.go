package devices

import (
	"math"
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// What is due together is planned together: every tenth request is one register
// longer, and the point that nothing else falls together with has its own.
func TestPlannedLoadOfPeriodsThatFallTogether(t *testing.T) {
	at := func(address int, kind facility.PointKind, period time.Duration) profile.Point {
		return profile.Point{ID: period.String(), Kind: kind, Table: profile.Input, Address: address, Type: profile.U16, Period: period}
	}
	const character, overhead = 10.0 / 9600, 13*10.0/9600 + 0.040 // seconds
	cases := []struct {
		name   string
		points []profile.Point
		want   float64
	}{
		{
			"one within the other",
			[]profile.Point{at(0, facility.State, time.Second), at(1, facility.Measure, 10*time.Second)},
			overhead + 2*character + 2*character/10,
		},
		{
			"neither within the other",
			[]profile.Point{at(0, facility.Measure, 2*time.Second), at(1, facility.Measure, 5*time.Second)},
			(overhead + 2*character) * (1.0/2 + 1.0/5),
		},
		{
			"a fast alarm",
			[]profile.Point{at(0, facility.Signal, 200*time.Millisecond), at(1, facility.Measure, time.Second)},
			(overhead + 2*character) * (5 + 1),
		},
	}
	for _, c := range cases {
		l := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: "x"}}
		devs := []DeviceConfig{{Line: "bus", Profile: "model", Address: Unit(1)}}
		got := PlannedLoad(l, devs, map[string]profile.Profile{"model": {ID: "model", Points: c.points}})
		if math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s: got %.6f, want %.6f", c.name, got, c.want)
		}
	}
}
