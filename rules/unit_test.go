package rules

import (
	"math"
	"strings"
	"testing"

	"gengfu/facility"
)

// measured is an estate of one device with quantities of all kinds.
func measured() facility.Estate {
	d := facility.Device{ID: "d", Kind: "thing", Name: facility.Text{ZH: "物"}}
	for name, unit := range map[string]string{
		"level": "m", "pressure": "bar", "suction": "kPa", "flow": "m3/h", "voltage": "V", "current": "A", "power": "kW", "temp": "Cel", "room": "Cel",
		"humidity": "%", "turbidity": "NTU", "clarity": "NTU", "fault": "", "speed": "1/min", "frequency": "Hz", "run": "h",
	} {
		d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: "d", Quantity: name}, Kind: facility.Measure, Unit: unit})
	}
	for name, unit := range map[string]string{"total": "m3", "energy": "kWh", "starts": ""} {
		d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: "d", Quantity: name}, Kind: facility.Counter, Unit: unit})
	}
	d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: "d", Quantity: "valve"}, Kind: facility.State})
	return facility.Estate{Devices: []facility.Device{d}}
}

// TestLimitsInOtherUnits puts a value just below and just above the limit, in the
// point's own unit.
func TestLimitsInOtherUnits(t *testing.T) {
	tests := []struct {
		when     string
		quantity string
		limit    float64
	}{
		{"level > 1.8 m", "level", 1.8},
		{"level > 1.8m", "level", 1.8},
		{"level > 180 cm", "level", 1.8},
		{"level > 1.8", "level", 1.8},
		{"1800 mm < level", "level", 1.8},
		{"pressure > 0.25 MPa", "pressure", 2.5},
		{"pressure > 250kPa", "pressure", 2.5},
		{"pressure > 2.5e2 kPa", "pressure", 2.5},
		{"flow > 5 l/min", "flow", 0.3},
		{"flow > 0.5 l/s", "flow", 1.8},
		{"flow > 24 m3/d", "flow", 1},
		{"power > 1500 W", "power", 1.5},
		{"temp > 60 °C", "temp", 60},
		{"temp > 60 Cel", "temp", 60},
		{"humidity > 80 %", "humidity", 80},
		{"humidity > 80%", "humidity", 80},
		{"frequency > 3000 rpm", "frequency", 50},
		{"speed > 25 Hz", "speed", 1500},
		{"run > 90 min", "run", 1.5},
		{"run > 1h30m", "run", 1.5},
		{"run > 2d", "run", 48},
		{"turbidity > 1", "turbidity", 1},
		{"level * 2 > 3.6 m", "level", 1.8},
		{"flow * 1 h > 5 m3", "flow", 5},
		{"level > (1 m + 80 cm)", "level", 1.8},
		{"max(pressure, 1 kPa) > 250 kPa", "pressure", 2.5},
	}
	for _, test := range tests {
		for _, side := range []struct {
			v    float64
			want int
		}{{test.limit * (1 - 1e-9), 0}, {test.limit * (1 + 1e-9), 1}} {
			rule := Rule{ID: "r", Name: facility.Text{ZH: "r"}, Priority: facility.P1, When: test.when}
			e, problems := Compile([]Rule{rule}, measured())
			if problems != nil {
				t.Fatalf("%s: %v", test.when, problems)
			}
			e.Observe(facility.Reading{Point: facility.PointID{Device: "d", Quantity: test.quantity}, Time: instant(1e18).time(), Value: side.v, Quality: facility.Good})
			if got := len(e.Standing()); got != side.want {
				t.Errorf("%s: %d alarms at %v, want %d", test.when, got, side.v, side.want)
			}
		}
	}
}

func TestUnitsThatDoNotFit(t *testing.T) {
	for when, want := range map[string]string{
		"level > 1.8 bar":                    "At column 7 of `level > 1.8 bar`: m cannot be put beside bar.",
		"fault > 0 and level > 3 kWh":        "m cannot be put beside kWh",
		"level + pressure > 3":               "m cannot be put beside bar",
		"flow > 3 m3":                        "m3/h cannot be put beside m3",
		"run > 10 m":                         "m is metres; minutes are min",
		"turbidity > 3 bar":                  "NTU cannot be put beside bar",
		"turbidity < pressure":               "NTU cannot be put beside bar",
		"starts > 3 m":                       "a number without a unit cannot be put beside m",
		"temp > 3 K":                         "Cel cannot be put beside K",
		"max(level, pressure) > 1":           "m cannot be put beside bar",
		"(fault > 0 ? level : power) > 1":    "m cannot be put beside kW",
		"rate(total, 1h) > 3 m3":             "m3/h cannot be put beside m3",
		"increase(total, 1h) > 3 m3/h":       "m3 cannot be put beside m3/h",
		"delta(temp, 1h) > 3 °C":             "K cannot be put beside °C",
		"quality(level) == 3 V":              "quality cannot be put beside V",
		"held(level > 1 m) > 3 bar":          "s cannot be put beside bar",
		"level > 3 furlong":                  `"furlong" is no unit`,
		"avg(level, 15 m) > 1":               "is no stretch of time",
		"avg(level, 15) > 1":                 "is no stretch of time",
		"avg(level, 0s) > 1":                 "0s is no time to look back",
		"avg(level, 32d) > 1":                "768h0m0s is no time to look back",
		"increase(level, 1h) > 1":            `"level" is no counter`,
		"avg(level + 1, 1h) > 1":             "avg takes a quantity by its name",
		"night_minimum(flow, 2) > 1":         "no number of nights",
		"anomaly(valve)":                     `Nothing here learns what is usual of "valve"`,
		"during(\"night\") and fault > 0":    `no calendar "night"`,
		"during(\"workday\") and fault > 0":  `Did you mean "workdays"?`,
		"holiday and fault > 0":              "no calendar of its holidays",
		"between(\"22\", \"6:00\") or fault": `"22" is no time of day`,
		"edges(level, 1h) > 1":               `"level" is a number, not a yes or no`,
		"min(level) > 1":                     "min of one number",
		"avg(level) > 1":                     "avg takes a group",
		"any(level > 1)":                     "any takes a group",
		"rate(level) > 1":                    "rate takes other arguments",
		"subs.flow > 1":                      `no group "subs"`,
		"d.level > 1":                        `value("d/level")`,
	} {
		rule := Rule{ID: "r", Name: facility.Text{ZH: "r"}, Priority: facility.P1, When: when}
		_, problems := Compile([]Rule{rule}, measured())
		if len(problems) != 1 {
			t.Errorf("%s: %v, want one problem", when, problems)
			continue
		}
		if got := problems[0].Error(); !strings.Contains(got, want) || problems[0].Cure == "" {
			t.Errorf("%s:\n%s\nwant %s", when, got, want)
		}
	}
}

func TestLift(t *testing.T) {
	for text, want := range map[string]string{
		"level > 1.8 m":           "level > 1.8  ",
		"a1 > 3 m3/h and b":       "a1 > 3      and b",
		"x2m > 2m":                "x2m > 2 ",
		"10 % int(b) == 1":        "10 % int(b) == 1",
		"10 % 3 == 1":             "10 % 3 == 1",
		"h > 10 % and b":          "h > 10   and b",
		"max(h, 10 %) > 1":        "max(h, 10  ) > 1",
		`value("a/3 m") > 3 m`:    `value("a/3 m") > 3  `,
		"value('3 m\\' 3 m') > 1": "value('3 m\\' 3 m') > 1",
		"avg(x, 1h30m) > 0x1f":    "avg(x, 1    ) > 0x1f",
		"x > 3 minimum":           "x > 3 minimum",
		"x > 3 m/h_total":         "x > 3  /h_total",
		"温度 > 60 ℃ or 湿度 > 3":     "温度 > 60   or 湿度 > 3",
		"1..9":                    "1..9",
		"x > 1e-3 m":              "x > 1e-3  ",
		"x > 3 e":                 "x > 3 e",
		"":                        "",
	} {
		if got, _ := lift(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzLift(f *testing.F) {
	for _, s := range []string{"level > 1.8 m", "1h30m", "10 % 3", "\"", "'\\", "3 m3/h", "3.", ".5 m", "0x", "9e+", "３ m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		bare, found := lift(text)
		if a, b := len([]rune(bare)), len([]rune(text)); a != b {
			t.Fatalf("%q has %d characters, %q %d", bare, a, text, b)
		}
		for at, l := range found {
			if l.from != at || l.to <= at || l.to > len([]rune(text)) || l.unit == "" && !l.joined {
				t.Fatalf("%q: %+v at %d", text, l, at)
			}
		}
	})
}

func TestUnitNames(t *testing.T) {
	for name, want := range map[string]string{"kW": "kW", "m3/h": "m3/h", "NTU": "NTU", "": "a number without a unit", "°C": "°C"} {
		if got := unitOf(name).String(); got != want {
			t.Errorf("%q is called %q, want %q", name, got, want)
		}
	}
	if got := unitOf("V").times(unitOf("A"), 1); got.dim != unitOf("kW").dim || got.String() != "m^2·kg·s^-3" {
		t.Errorf("V times A is %v", got)
	}
	if got := unitOf("bar").per(unitOf("MPa")); got != 10 {
		t.Errorf("1 MPa is %v bar", got)
	}
	if got := unitOf("kPa").per(unitOf("psi")); math.Abs(got-6.894757) > 1e-6 {
		t.Errorf("1 psi is %v kPa", got)
	}
}
