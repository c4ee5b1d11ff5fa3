package profile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
)

// meters returns sound profiles of meters, for tests to spoil.
func meters() map[profile.Protocol]profile.Profile {
	of := func(speaks profile.Protocol, points ...profile.Point) profile.Profile {
		return profile.Profile{ID: "some-meter", Name: text("meter"), Kind: "electricity_meter", Source: "standard", Protocol: speaks, Points: points}
	}
	electricity := of(profile.DLT645,
		profile.Point{ID: "energy", Name: text("E"), Kind: "counter", Unit: "kWh", Item: "00010000", Wrap: 1e6},
		profile.Point{ID: "voltage", Name: text("U"), Kind: "measure", Unit: "V", Item: "0201FF00", Value: "voltage_b"},
		profile.Point{ID: "battery", Name: text("B"), Kind: "alarm", Item: "040005FF", Value: "status_word_1", Bit: ptr(3)},
		profile.Point{ID: "own", Name: text("O"), Kind: "measure", Unit: "A", Item: "0E000001", Format: "signed 3 3 A"},
	)
	electricity.Golden = []profile.Golden{{
		Source: "sample", Request: "FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16",
		Reply:  "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16",
		Values: map[string]float64{"energy": 0.26},
	}}
	electricity.Persona.Values = map[string]float64{"energy": 12.5, "battery": 1}
	water := of(profile.CJT188,
		profile.Point{ID: "total", Name: text("V"), Kind: "counter", Unit: "m3", Item: "901F", Value: "volume"},
		profile.Point{ID: "valve", Name: text("K"), Kind: "state", Item: "901F", Value: "status", Bit: ptr(0), Width: 2, Labels: labels("open", "closed")},
		profile.Point{ID: "last", Name: text("L"), Kind: "measure", Unit: "m3", Item: "D120", Value: "volume_settled_1"},
	)
	water.CJT188 = &profile.Dialect{Type: "10"}
	heat := of(profile.MBus,
		profile.Point{ID: "heat", Name: text("Q"), Kind: "counter", Unit: "MWh", Value: "energy"},
		profile.Point{ID: "peak", Name: text("P"), Kind: "measure", Unit: "kW", Value: "power", Is: "maximum", Storage: 1},
	)
	heat.Identify = []profile.Mark{{Medium: []int{4}}}
	return map[profile.Protocol]profile.Profile{profile.DLT645: electricity, profile.CJT188: water, profile.MBus: heat}
}

func TestValidateMeters(t *testing.T) {
	for speaks, p := range meters() {
		if problems := p.Validate(); len(problems) != 0 {
			t.Fatalf("a sound profile of %s has problems: %v", speaks, problems)
		}
		p.Defaults()
		if problems := p.Validate(); len(problems) != 0 {
			t.Fatalf("with its defaults the profile of %s has problems: %v", speaks, problems)
		}
	}
	const e, w, h = profile.DLT645, profile.CJT188, profile.MBus
	cases := []struct {
		name  string
		of    profile.Protocol
		spoil func(p *profile.Profile)
		path  string
		words string
	}{
		{"protocol", e, func(p *profile.Profile) { p.Protocol = "iec" }, "protocol", "dlt645"},
		{"dialect of another protocol", e, func(p *profile.Profile) { p.CJT188 = &profile.Dialect{} }, "cjt188", "protocol: cjt188"},
		{"register", e, func(p *profile.Profile) { p.Points[0].Table = "holding" }, "points[0].table", "Only Modbus"},
		{"address", e, func(p *profile.Profile) { p.Points[0].Address = 5 }, "points[0].address", "Only Modbus"},
		{"type", e, func(p *profile.Profile) { p.Points[0].Type = "u16" }, "points[0].type", "Leave type out"},
		{"order", e, func(p *profile.Profile) { p.Points[0].Order = "ABCD" }, "points[0].order", "Leave order out"},
		{"writable", e, func(p *profile.Profile) { p.Points[0].Writable = true }, "points[0].writable", "only ever read"},
		{"storage", e, func(p *profile.Profile) { p.Points[0].Storage = 1 }, "points[0].storage", "M-Bus"},
		{"no item", e, func(p *profile.Profile) { p.Points[0].Item = "" }, "points[0].item", "eight hex"},
		{"item not hex", e, func(p *profile.Profile) { p.Points[0].Item = "energy" }, "points[0].item", "eight hex"},
		{"item without quotes, which YAML takes for an octal number", e, func(p *profile.Profile) { p.Points[0].Item = "4096" }, "points[0].item", "in quotes"},
		{"item unknown", e, func(p *profile.Profile) { p.Points[0].Item = "0E000002" }, "points[0].item", "format:"},
		{"value of a block", e, func(p *profile.Profile) { p.Points[1].Value = "" }, "points[1].value", "voltage_a, voltage_b"},
		{"value misspelt", e, func(p *profile.Profile) { p.Points[0].Value = "power" }, "points[0].value", "forward_active_energy"},
		{"text", e, func(p *profile.Profile) { p.Points[0].Item = "0400040B" }, "points[0].value", "cannot be a point"},
		{"time of a demand", e, func(p *profile.Profile) {
			p.Points[1].Item, p.Points[1].Value = "01010000", "forward_active_demand_time"
		}, "points[1].value", "forward_active_demand."},
		{"unit", e, func(p *profile.Profile) { p.Points[0].Unit = "MWh" }, "points[0].unit", "scale: 0.001"},
		{"unit of something else", e, func(p *profile.Profile) { p.Points[0].Unit = "V" }, "points[0].unit", `"kWh"`},
		{"bit of a number", e, func(p *profile.Profile) { p.Points[1].Bit, p.Points[1].Unit = ptr(0), "" }, "points[1].bit", "status word"},
		{"bit beyond the word", e, func(p *profile.Profile) { p.Points[2].Bit = ptr(16) }, "points[2].bit", "up to 15"},
		{"format", e, func(p *profile.Profile) { p.Points[3].Format = "decimal 3" }, "points[3].format", "signed and word"},
		{"format too long", e, func(p *profile.Profile) { p.Points[3].Format = "number 9" }, "points[3].format", "9 bytes"},
		{"format with too many decimals", e, func(p *profile.Profile) { p.Points[3].Format = "number 2 5" }, "points[3].format", "5 digits"},
		{"format of nothing", e, func(p *profile.Profile) { p.Points[3].Format = "number" }, "points[3].format", "number 4 2 kWh"},
		{"the same value twice", e, func(p *profile.Profile) { p.Points[3] = p.Points[0]; p.Points[3].ID = "again" }, "points[3].value", "same value as energy"},
		{"width of no bit", e, func(p *profile.Profile) { p.Points[0].Width = 2 }, "points[0].width", "bit: 0"},
		{"width", e, func(p *profile.Profile) { p.Points[2].Width = 17 }, "points[2].width", "2 to 16"},
		{"wrap of a measure", e, func(p *profile.Profile) { p.Points[1].Wrap = 10 }, "points[1].wrap", "counter"},
		{"wrap", e, func(p *profile.Profile) { p.Points[0].Wrap = -10 }, "points[0].wrap", "999999.99"},
		{"identify", e, func(p *profile.Profile) { p.Identify = []profile.Mark{{Table: "holding"}} }, "identify[0].table", "Leave identify out"},
		{"golden check", e, func(p *profile.Profile) { p.Golden[0].Reply = strings.Replace(p.Golden[0].Reply, "8A", "8B", 1) }, "golden[0].reply", "check"},
		{"golden not hex", e, func(p *profile.Profile) { p.Golden[0].Request = "zz" }, "golden[0].request", "not hex"},
		{"golden of another meter", e, func(p *profile.Profile) {
			p.Golden[0].Request = "68 12 90 78 56 34 12 68 11 04 33 33 34 33 68 16"
		}, "golden[0].reply", "do not belong"},
		{"golden value", e, func(p *profile.Profile) { p.Golden[0].Values["energy"] = 26 }, "golden[0].values.energy", "decodes to 0.26,"},
		{"golden elsewhere", e, func(p *profile.Profile) { p.Golden[0].Values["voltage"] = 230 }, "golden[0].values.voltage", "not in this reply"},
		{"persona too great", e, func(p *profile.Profile) { p.Persona.Values["energy"] = 1e6 }, "persona.values.energy", "cannot hold"},
		{"persona negative", e, func(p *profile.Profile) { p.Persona.Values["energy"] = -1 }, "persona.values.energy", "cannot hold"},
		{"persona of a bit", e, func(p *profile.Profile) { p.Persona.Values["battery"] = 2 }, "persona.values.battery", "bits"},

		{"meter type", w, func(p *profile.Profile) { p.CJT188.Type = "water" }, "cjt188.type", "10 for cold water"},
		{"order of the identifier", w, func(p *profile.Profile) { p.CJT188.Order = "2004" }, "cjt188.order", "low-first"},
		{"item of CJ/T 188", w, func(p *profile.Profile) { p.Points[0].Item = "00010000" }, "points[0].item", "901F"},
		{"item not of the standard", w, func(p *profile.Profile) { p.Points[0].Item = "907F" }, "points[0].item", "D120"},
		{"no value", w, func(p *profile.Profile) { p.Points[0].Value = "" }, "points[0].value", "volume"},
		{"value of a heat meter", w, func(p *profile.Profile) { p.Points[0].Value = "heat_power" }, "points[0].value", "settled_volume"},
		{"the clock", w, func(p *profile.Profile) { p.Points[0].Value = "clock" }, "points[0].value", "status"},
		{"bits that overlap", w, func(p *profile.Profile) {
			p.Points[2] = profile.Point{ID: "low", Name: text("B"), Kind: "alarm", Item: "901F", Value: "status", Bit: ptr(1)}
		}, "points[2].value", "same value as valve"},
		{"format of CJ/T 188", w, func(p *profile.Profile) { p.Points[0].Format = "number 4 2 m3" }, "points[0].format", "DL/T 645"},

		{"item of M-Bus", h, func(p *profile.Profile) { p.Points[0].Item = "901F" }, "points[0].item", "quantity"},
		{"no quantity", h, func(p *profile.Profile) { p.Points[0].Value = "" }, "points[0].value", "energy"},
		{"quantity unknown", h, func(p *profile.Profile) { p.Points[0].Value = "warmth" }, "points[0].value", "EN 13757-3"},
		{"quantity that is a text", h, func(p *profile.Profile) { p.Points[0].Value = "fabrication_number" }, "points[0].value", "number"},
		{"unit of M-Bus", h, func(p *profile.Profile) { p.Points[0].Unit = "m3" }, "points[0].unit", "kWh or GJ"},
		{"is", h, func(p *profile.Profile) { p.Points[0].Is = "mean" }, "points[0].is", "maximum"},
		{"bit of a quantity", h, func(p *profile.Profile) { p.Points[1].Bit, p.Points[1].Unit = ptr(0), "" }, "points[1].bit", "Leave bit out"},
		{"register as a mark", h, func(p *profile.Profile) { p.Identify = []profile.Mark{{Table: "holding", Type: "u16"}} }, "identify[0].medium", "medium: ["},
		{"medium", h, func(p *profile.Profile) { p.Identify[0].Medium = []int{256} }, "identify[0].medium", "0xFF"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := meters()[c.of]
			c.spoil(&p)
			wantProblem(t, p, c.path, c.words)
		})
	}
}

func TestValidateRegistersAreNotMeters(t *testing.T) {
	for key, spoil := range map[string]func(*profile.Point){
		"item":    func(p *profile.Point) { p.Item = "901F" },
		"value":   func(p *profile.Point) { p.Value = "volume" },
		"format":  func(p *profile.Point) { p.Format = "number 4" },
		"is":      func(p *profile.Point) { p.Is = "maximum" },
		"storage": func(p *profile.Point) { p.Storage = 1 },
		"tariff":  func(p *profile.Point) { p.Tariff = 1 },
		"subunit": func(p *profile.Point) { p.Subunit = 1 },
	} {
		p := sound()
		spoil(&p.Points[0])
		wantProblem(t, p, "points[0]."+key, "protocol: dlt645")
	}
}

func wantProblem(t *testing.T, p profile.Profile, path, words string) {
	t.Helper()
	problems := p.Validate()
	for _, problem := range problems {
		if problem.Path == path && strings.Contains(problem.What+" "+problem.Cure, words) {
			if problem.Cure == "" {
				t.Errorf("no cure for %v", problem)
			}
			return
		}
	}
	t.Errorf("no problem at %s with %q among %v", path, words, problems)
}

// What a master needs of a point is what the profile says.
func TestPlacesOfMeters(t *testing.T) {
	at, err := meters()[profile.DLT645].Points[1].DLT645()
	if err != nil || at.DI != (dlt645.DI{Code: 0x0201FF00}) || at.Value != "voltage_b" || at.Item.Name != "voltage" {
		t.Errorf("%+v, %v", at, err)
	}
	own, err := meters()[profile.DLT645].Points[3].DLT645()
	if err != nil || len(own.Item.Formats) != 1 || own.Item.Formats[0] != (dlt645.Format{Kind: dlt645.Signed, Bytes: 3, Decimals: 3, Unit: "A"}) {
		t.Errorf("%+v, %v", own, err)
	}
	water := meters()[profile.CJT188]
	place, err := water.Points[0].CJT188()
	if err != nil || place != (profile.Place188{DI: cjt188.Current, Value: "volume"}) {
		t.Errorf("%+v, %v", place, err)
	}
	m, known := water.CJT188.Meter(cjt188.Any())
	if m != (cjt188.Meter{Type: cjt188.ColdWater, Address: cjt188.Any()}) || known {
		t.Errorf("%+v, order known %v", m, known)
	}
	m, known = (&profile.Dialect{Order: profile.LowFirst, AnySerial: true}).Meter(cjt188.Any())
	if m != (cjt188.Meter{Type: cjt188.AnyType, Address: cjt188.Any(), Order: cjt188.LowFirst, AnySerial: true}) || !known {
		t.Errorf("%+v, order known %v", m, known)
	}
	if m, known = (*profile.Dialect)(nil).Meter(cjt188.Any()); m.Type != cjt188.AnyType || known {
		t.Errorf("%+v, order known %v", m, known)
	}
	if l, ok := (&profile.Dialect{UnitFirst: true}).Layout(cjt188.HeatMeter, cjt188.Current); !ok || !l.UnitFirst || len(l.Fields) != 10 {
		t.Errorf("%+v, %v", l, ok)
	}
	id, err := meters()[profile.MBus].Points[1].MBus()
	if err != nil || id != (mbus.ID{Quantity: "power", Function: mbus.Maximum, Storage: 1}) {
		t.Errorf("%+v, %v", id, err)
	}
}

// Whatever a profile says, it is judged: no panic, and each mistake with its cure.
func FuzzProfile(f *testing.F) {
	for _, p := range load(f) {
		p.Points = p.Points[:min(len(p.Points), 3)] // longer ones only slow it down
		p.Golden = p.Golden[:1]
		b, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"Protocol": "mbus", "Points": [{"Value": "energy", "Bit": -1, "Width": 99}], "Identify": [{"Medium": [-1]}]}`))
	f.Add([]byte(`{"Points": [{"Table": "coil", "Type": "bcd48", "Address": -1, "Bit": 70}], "Identify": [{"Table": "input", "Type": "string", "Length": -9, "Text": "*"}]}`))
	f.Add([]byte(`{"Protocol": "cjt188", "CJT188": {}, "Points": [{"Item": "901f", "Value": "status", "Bit": 3}], "Golden": [{"Request": "68", "Reply": "FE"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p profile.Profile
		if json.Unmarshal(b, &p) != nil {
			return
		}
		for range 2 {
			for _, problem := range p.Validate() {
				if problem.Path == "" || problem.What == "" || problem.Cure == "" {
					t.Errorf("%+v", problem)
				}
			}
			p.Defaults()
		}
		p.FacilityPoints("x")
		for _, m := range p.Identify {
			if n := m.Words(); n > 0 && n <= profile.MaxRegisters {
				m.Matches(m.Shown())
			}
		}
	})
}
