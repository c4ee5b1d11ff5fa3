package profile_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/facility"
)

func text(s string) facility.Text { return facility.Text{ZH: s, EN: s} }

// sound is a profile without a mistake, for tests to spoil.
func sound() profile.Profile {
	return profile.Profile{
		ID: "some-meter", Name: text("meter"), Kind: "electricity_meter", Source: "manual",
		Points: []profile.Point{
			{ID: "voltage", Name: text("V"), Kind: "measure", Unit: "V", Table: "input", Address: 0, Type: "f32"},
			{ID: "state", Name: text("S"), Kind: "state", Table: "holding", Address: 5, Type: "u16", Labels: map[int]facility.Text{0: text("off")}},
			{ID: "fault", Name: text("F"), Kind: "alarm", Table: "holding", Address: 5, Bit: ptr(3)},
			{ID: "door", Name: text("D"), Kind: "alarm", Table: "discrete", Address: 2},
		},
		Golden: []profile.Golden{{
			Source: "manual", Request: "01 04 00 00 00 02 71 CB", Reply: "01 04 04 43 66 33 34 1B 38",
			Values: map[string]float64{"voltage": 230.2},
		}},
		Persona: profile.Persona{Values: map[string]float64{"voltage": 230}},
	}
}

func TestValidate(t *testing.T) {
	if problems := sound().Validate(); len(problems) != 0 {
		t.Fatalf("a sound profile has problems: %v", problems)
	}
	cases := []struct {
		name  string
		spoil func(p *profile.Profile)
		path  string
		words string // of the problem or its cure
	}{
		{"id", func(p *profile.Profile) { p.ID = "Some Meter" }, "id", "lower-case"},
		{"no name", func(p *profile.Profile) { p.Name = facility.Text{} }, "name", "name: {zh"},
		{"kind", func(p *profile.Profile) { p.Kind = "" }, "kind", "water_meter"},
		{"no source", func(p *profile.Profile) { p.Source = " " }, "source", "manual"},
		{"no points", func(p *profile.Profile) { *p = profile.Profile{ID: "x", Name: text("x"), Kind: "pump", Source: "x"} }, "points", "at least one"},
		{"register limit", func(p *profile.Profile) { p.Limits.Registers = 126 }, "limits.registers", "1 to 125"},
		{"bit limit", func(p *profile.Profile) { p.Limits.Bits = -1 }, "limits.bits", "1 to 2000"},
		{"gap", func(p *profile.Profile) { p.Limits.Gap = 125 }, "limits.gap", "124"},
		{"timeout", func(p *profile.Profile) { p.Limits.Timeout = time.Hour }, "limits.timeout", "30s"},
		{"pause", func(p *profile.Profile) { p.Limits.Pause = -1 }, "limits.pause", "5s"},
		{"forbidden backwards", func(p *profile.Profile) {
			p.Limits.Forbidden = []profile.Range{{Table: "holding", From: 9, To: 8}}
		}, "limits.forbidden[0]", "from: 100"},
		{"forbidden nowhere", func(p *profile.Profile) { p.Limits.Forbidden = []profile.Range{{To: 8}} }, "limits.forbidden[0]", "no stretch"},
		{"forbidden point", func(p *profile.Profile) {
			p.Limits.Forbidden = []profile.Range{{Table: "input", From: 1, To: 1}}
		}, "points[0].address", "limits.forbidden"},
		{"too wide for the limit", func(p *profile.Profile) { p.Limits.Registers = 1 }, "points[0].type", "limits.registers"},
		{"quantity", func(p *profile.Profile) { p.Points[0].ID = "Voltage L1" }, "points[0].id", "underscores"},
		{"point without name", func(p *profile.Profile) { p.Points[0].Name = facility.Text{} }, "points[0].name", "zh"},
		{"unit nearly right", func(p *profile.Profile) { p.Points[0].Unit = "kwh" }, "points[0].unit", `"kWh"`},
		{"unit in Unicode", func(p *profile.Profile) { p.Points[0].Unit = "m³/h" }, "points[0].unit", `"m3/h"`},
		{"unit unknown", func(p *profile.Profile) { p.Points[0].Unit = "furlong" }, "points[0].unit", "Write one of"},
		{"table", func(p *profile.Profile) { p.Points[0].Table = "registers" }, "points[0].table", "holding (03)"},
		{"address", func(p *profile.Profile) { p.Points[0].Address = 65535 }, "points[0].address", "40001"},
		{"type", func(p *profile.Profile) { p.Points[0].Type = "float" }, "points[0].type", "f32"},
		{"order", func(p *profile.Profile) { p.Points[0].Order = "ABDC" }, "points[0].order", "CDAB"},
		{"bit without number", func(p *profile.Profile) { p.Points[2].Bit, p.Points[2].Type = nil, "bit" }, "points[2].bit", "bit: 0"},
		{"bit too high", func(p *profile.Profile) { p.Points[2].Bit = ptr(16) }, "points[2].bit", "up to 15"},
		{"bit of a float", func(p *profile.Profile) { p.Points[2].Type = "f32" }, "points[2].bit", "u32"},
		{"type of a discrete", func(p *profile.Profile) { p.Points[3].Type = "u16" }, "points[3].type", "leave it out"},
		{"bit of a discrete", func(p *profile.Profile) { p.Points[3].Bit = ptr(0) }, "points[3].bit", "own address"},
		{"writable input", func(p *profile.Profile) { p.Points[0].Writable = true }, "points[0].writable", "holding"},
		{"kind of point", func(p *profile.Profile) { p.Points[0].Kind = "gauge" }, "points[0].kind", "measure"},
		{"alarm that is a number", func(p *profile.Profile) { p.Points[0].Kind = "alarm" }, "points[0].kind", "single bit"},
		{"state without words", func(p *profile.Profile) { p.Points[1].Labels = nil }, "points[1].labels", "labels:"},
		{"state with a unit", func(p *profile.Profile) { p.Points[1].Unit = "V" }, "points[1].unit", "no unit"},
		{"measure with labels", func(p *profile.Profile) { p.Points[0].Labels = map[int]facility.Text{0: text("x")} }, "points[0].labels", "kind: state"},
		{"empty label", func(p *profile.Profile) { p.Points[1].Labels = map[int]facility.Text{7: {}} }, "points[1].labels.7", "empty"},
		{"label of a bit", func(p *profile.Profile) { p.Points[2].Labels = map[int]facility.Text{2: text("x")} }, "points[2].labels.2", "0 and 1"},
		{"scaled bit", func(p *profile.Profile) { p.Points[2].Scale = 0.1 }, "points[2].scale", "Leave"},
		{"scale not a number", func(p *profile.Profile) { p.Points[0].Scale = math.Inf(1) }, "points[0].scale", "plain number"},
		{"min above max", func(p *profile.Profile) { p.Points[0].Min, p.Points[0].Max = ptr(2.0), ptr(1.0) }, "points[0].min", "Exchange"},
		{"decimals", func(p *profile.Profile) { p.Points[0].Decimals = 9 }, "points[0].decimals", "0 to 6"},
		{"period", func(p *profile.Profile) { p.Points[0].Period = time.Millisecond }, "points[0].period", "100ms"},
		{"sentinel", func(p *profile.Profile) { p.Points[1].Sentinels = []int64{-1} }, "points[1].sentinels[0]", "does not fit"},
		{"id twice", func(p *profile.Profile) { p.Points[1].ID = "voltage" }, "points[1].id", "points[0]"},
		{"overlap", func(p *profile.Profile) { p.Points[1].Table, p.Points[1].Address = "input", 1 }, "points[1].address", "registers of voltage"},
		{"same bit twice", func(p *profile.Profile) { p.Points[1].Bit = ptr(3) }, "points[2].address", "registers of state"},
		{"golden without source", func(p *profile.Profile) { p.Golden[0].Source = "" }, "golden[0].source", "computed"},
		{"golden without values", func(p *profile.Profile) { p.Golden[0].Values = nil }, "golden[0].values", "List"},
		{"golden CRC", func(p *profile.Profile) { p.Golden[0].Request = "01 03 00 00 00 0A C4 0D" }, "golden[0].request", "C5 CD"},
		{"golden not hex", func(p *profile.Profile) { p.Golden[0].Reply = "zz" }, "golden[0].reply", "not hex"},
		{"golden too short", func(p *profile.Profile) { p.Golden[0].Reply = "01" }, "golden[0].reply", "too short"},
		{"golden of two devices", func(p *profile.Profile) { p.Golden[0].Request = "02 03 0C 1E 00 04 27 6C" }, "golden[0].reply", "do not belong"},
		{"golden of a write", func(p *profile.Profile) { p.Golden[0].Request = "05 06 00 0D 17 70 17 99" }, "golden[0].reply", "not a read"},
		{"golden value", func(p *profile.Profile) { p.Golden[0].Values["voltage"] = 231 }, "golden[0].values.voltage", "decodes to 230.2,"},
		{"golden quantity", func(p *profile.Profile) { p.Golden[0].Values["amps"] = 1 }, "golden[0].values.amps", "no point"},
		{"golden elsewhere", func(p *profile.Profile) { p.Golden[0].Values["state"] = 1 }, "golden[0].values.state", "not in this reply"},
		{"persona quantity", func(p *profile.Profile) { p.Persona.Values["amps"] = 1 }, "persona.values.amps", "no point"},
		{"persona value", func(p *profile.Profile) { p.Persona.Values["state"] = -1 }, "persona.values.state", "cannot show"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := sound()
			c.spoil(&p)
			problems := p.Validate()
			for _, problem := range problems {
				if problem.Path == c.path && strings.Contains(problem.What+" "+problem.Cure, c.words) {
					if problem.Cure == "" {
						t.Errorf("no cure for %v", problem)
					}
					return
				}
			}
			t.Errorf("no problem at %s with %q among %v", c.path, c.words, problems)
		})
	}
}

func TestCRC16(t *testing.T) {
	// The classic request of the Modbus literature, 11 03 00 6B 00 03 76 87.
	if got := profile.CRC16([]byte{0x11, 0x03, 0x00, 0x6B, 0x00, 0x03}); got != 0x8776 {
		t.Errorf("CRC16 = %04X, want 8776", got)
	}
}

// Whatever stands in an example, it is judged and not trusted.
func FuzzGolden(f *testing.F) {
	f.Add("01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38")
	f.Add("01 02 00 00 00 06 F8 08", "01 02 01 00 A1 88")
	f.Add("01 83 02 C0 F1", "")
	f.Fuzz(func(t *testing.T, request, reply string) {
		p := sound()
		p.Golden[0].Request, p.Golden[0].Reply = request, reply
		for _, problem := range p.Validate() {
			if problem.What == "" || problem.Cure == "" || !strings.HasPrefix(problem.Path, "golden[0]") {
				t.Errorf("%+v", problem)
			}
		}
	})
}
