package profile_test

import (
	"slices"
	"strings"
	"testing"

	"gengfu/devices/profile"
	"gengfu/facility"
)

func labels(words ...string) map[int]facility.Text {
	out := map[int]facility.Text{}
	for i, w := range words {
		out[i] = text(w)
	}
	return out
}

func TestMarks(t *testing.T) {
	name := profile.Mark{Table: "holding", Address: 0x31, Type: "string", Length: 6, Text: "iEM3155"}
	family := profile.Mark{Table: "holding", Address: 0x31, Type: "string", Length: 6, Text: "iEM3*"}
	code := profile.Mark{Table: "holding", Address: 0xFC02, Type: "u16", OneOf: []int64{0x70, 0x79}}
	swapped := profile.Mark{Table: "input", Type: "u32", Order: "CDAB", Equals: ptr(int64(0x12345678))}
	words := []uint16{0x6945, 0x4D33, 0x3135, 0x3500, 0, 0}
	cases := []struct {
		name  string
		mark  profile.Mark
		words []uint16
		want  bool
	}{
		{"text filled with zeros", name, words, true},
		{"text filled with blanks", name, []uint16{0x6945, 0x4D33, 0x3135, 0x3520, 0x2020, 0x2020}, true},
		{"text of another model", name, []uint16{0x6945, 0x4D33, 0x3235, 0x3500, 0, 0}, false},
		{"the beginning of a text", family, words, true},
		{"too few registers", name, words[:5], false},
		{"one of", code, []uint16{0x79}, true},
		{"none of", code, []uint16{0x20}, false},
		{"low word first", swapped, []uint16{0x5678, 0x1234}, true},
		{"medium only", profile.Mark{Medium: []int{7}}, nil, false},
	}
	for _, c := range cases {
		if got := c.mark.Matches(c.words); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if got := name.Shown(); !slices.Equal(got, words) {
		t.Errorf("%04x", got)
	}
	if m := (profile.Mark{Medium: []int{6, 7}}); !m.MatchesMedium(7) || m.MatchesMedium(4) || len(m.Shown()) != 0 {
		t.Errorf("%+v", m)
	}
}

// A simulated device of each model shows what tells it, and no other model's.
func TestMarksOfFilesTellModels(t *testing.T) {
	profiles := load(t)
	for id, p := range profiles {
		for other, q := range profiles {
			if len(p.Identify) == 0 || len(q.Identify) == 0 || p.Language() != profile.Modbus || q.Language() != profile.Modbus {
				continue
			}
			all := true
			for _, m := range q.Identify {
				shown := slices.ContainsFunc(p.Identify, func(n profile.Mark) bool {
					return n.Table == m.Table && n.Address == m.Address && m.Matches(n.Shown())
				})
				all = all && shown
			}
			if all != (id == other) {
				t.Errorf("%s shows the marks of %s: %v", id, other, all)
			}
		}
	}
}

func TestValidateMarks(t *testing.T) {
	cases := []struct {
		name  string
		mark  profile.Mark
		key   string
		words string
	}{
		{"table", profile.Mark{Table: "coil", Type: "u16", Equals: ptr(int64(1))}, "table", "holding (03)"},
		{"type", profile.Mark{Table: "holding", Type: "f32", Equals: ptr(int64(1))}, "type", "string"},
		{"order", profile.Mark{Table: "holding", Type: "u32", Order: "ABDC", Equals: ptr(int64(1))}, "order", "CDAB"},
		{"address", profile.Mark{Table: "holding", Type: "u32", Address: 0xFFFF, Equals: ptr(int64(1))}, "address", "65535"},
		{"no number", profile.Mark{Table: "holding", Type: "u16"}, "equals", "one_of"},
		{"number too great", profile.Mark{Table: "holding", Type: "u16", Equals: ptr(int64(65536))}, "equals", "does not fit"},
		{"text of a number", profile.Mark{Table: "holding", Type: "u16", Text: "x", Equals: ptr(int64(1))}, "text", "type: string"},
		{"no length", profile.Mark{Table: "holding", Type: "string", Text: "x"}, "length", "1 to 125"},
		{"text too long", profile.Mark{Table: "holding", Type: "string", Length: 1, Text: "abc"}, "text", "1 to 2"},
		{"any text", profile.Mark{Table: "holding", Type: "string", Length: 1, Text: "*"}, "text", "1 to 2"},
		{"text that is no ASCII", profile.Mark{Table: "holding", Type: "string", Length: 9, Text: "电表"}, "text", "ASCII"},
		{"number of a text", profile.Mark{Table: "holding", Type: "string", Length: 9, Text: "x", Equals: ptr(int64(1))}, "equals", "text:"},
		{"order of a text", profile.Mark{Table: "holding", Type: "string", Length: 9, Text: "x", Order: "CDAB"}, "order", "Leave"},
		{"medium", profile.Mark{Medium: []int{7}}, "medium", "M-Bus"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := sound()
			p.Identify = []profile.Mark{c.mark}
			if len(p.Validate()) == 0 || !strings.HasPrefix(p.Validate()[0].Path, "identify[0].") {
				t.Fatal("not found")
			}
			wantProblem(t, p, "identify[0]."+c.key, c.words)
		})
	}
}
