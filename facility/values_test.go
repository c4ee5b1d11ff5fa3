package facility_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"gengfu/facility"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestTextFallsBack(t *testing.T) {
	tests := []struct {
		text       facility.Text
		zh, en, fr string
	}{
		{facility.Text{ZH: "泵", EN: "Pump"}, "泵", "Pump", "泵"},
		{facility.Text{ZH: "泵"}, "泵", "泵", "泵"},
		{facility.Text{EN: "Pump"}, "Pump", "Pump", "Pump"},
		{facility.Text{}, "", "", ""},
	}
	for _, tt := range tests {
		if zh, en, fr := tt.text.In("zh"), tt.text.In("en"), tt.text.In("fr"); zh != tt.zh || en != tt.en || fr != tt.fr {
			t.Errorf("%+v: %q, %q, %q", tt.text, zh, en, fr)
		}
		if tt.text.Empty() != (tt.zh == "") {
			t.Errorf("%+v empty: %v", tt.text, tt.text.Empty())
		}
		want, err := json.Marshal(map[string]string{"zh": tt.zh, "en": tt.en})
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		var a, b map[string]string
		if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || !cmp.Equal(a, b) {
			t.Errorf("%+v in JSON: %s, want %s", tt.text, got, want)
		}
	}
}

func TestTextInYAML(t *testing.T) {
	read := func(doc string) (facility.Text, error) {
		var v struct {
			Name facility.Text `yaml:"name"`
		}
		err := yaml.NewDecoder(strings.NewReader(doc), yaml.DisallowUnknownField()).Decode(&v)
		return v.Name, err
	}
	for doc, want := range map[string]facility.Text{
		"name: 东门":                    {ZH: "东门"},
		"name: {zh: 东门}":              {ZH: "东门"},
		"name: {zh: 东门, en: Gate}":    {ZH: "东门", EN: "Gate"},
		"name:\n  zh: 东门\n  en: Gate": {ZH: "东门", EN: "Gate"},
		"name: \"3\"":                 {ZH: "3"},
	} {
		if got, err := read(doc); err != nil || got != want {
			t.Errorf("%s: %+v, %v", doc, got, err)
		}
	}
	for _, doc := range []string{"name: {zh: 东门, de: Tor}", "name: [东门]", "name: {zh: [a]}"} {
		if got, err := read(doc); err == nil {
			t.Errorf("%s was read as %+v", doc, got)
		}
	}
}

func TestNormaliseUID(t *testing.T) {
	for in, want := range map[string]string{
		"04A035B2":                      "04A035B2",
		"04:a0:35:b2":                   "04A035B2",
		"04-A0 35.b2":                   "04A035B2",
		"04a035b2c1d2e3":                "04A035B2C1D2E3",
		"04 a0 35 b2 c1 d2 e3 f4 05 06": "04A035B2C1D2E3F40506",
		"0102030405":                    "0102030405",
		"dec:0006547886":                "0063E9AE",
		"DEC:6547886":                   "0063E9AE",
		"dec:0000000000":                "00000000",
		"dec:4294967295":                "FFFFFFFF",
		"0006547886":                    "0006547886", // ten digits alone are hex
	} {
		if got, err := facility.NormaliseUID(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "::::", "04A035", "04A035B", "04A035B2C", "0x04A035B2", "04A035BG", "０４Ａ０３５Ｂ２",
		"0102030405060708090A0B", "04A035B2\n", "04A035B2'; --",
		"dec:", "dec:1234", "dec:4294967296", "dec:00006547886", "dec:0063E9AE", "dec: 0006547886", "dec:+006547886",
		"dec:018,37848", "dec:dec:0006547886", "hex:0006547886", "dec：0006547886", "de:c0006547886",
	} {
		if got, err := facility.NormaliseUID(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestPrintedUID(t *testing.T) {
	for uid, want := range map[string]string{"010063E9AE": "0063E9AE", "2900DEB30A": "00DEB30A"} {
		if got, ok := facility.PrintedUID(uid); !ok || got != want {
			t.Errorf("%s prints %s, %v", uid, got, ok)
		}
	}
	for _, uid := range []string{"", "0063E9AE", "04A035B2BC2B80", "04A035B2BC2B8011", "04A035B2C1D2E3F40506"} {
		if got, ok := facility.PrintedUID(uid); ok || got != "" {
			t.Errorf("%s prints %s", uid, got)
		}
	}
}

func FuzzNormaliseUID(f *testing.F) {
	for _, s := range []string{"04:a0:35:b2", "", "zz", "04A035B2C1D2E3", "０４", "0:4-a.0 35b2", "dec:0006547886", "DEC:99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		uid, err := facility.NormaliseUID(s)
		if err != nil {
			if uid != "" {
				t.Errorf("%q: %q beside %v", s, uid, err)
			}
			return
		}
		if len(uid) < 8 || len(uid) > 20 || len(uid)%2 != 0 || strings.Trim(uid, "0123456789ABCDEF") != "" {
			t.Errorf("%q became %q", s, uid)
		}
		if again, err := facility.NormaliseUID(uid); err != nil || again != uid {
			t.Errorf("%q is not its own normal form: %q, %v", uid, again, err)
		}
		if strings.HasPrefix(strings.ToLower(s), "dec:") {
			want, err := strconv.ParseUint(s[4:], 10, 64)
			if got, herr := strconv.ParseUint(uid, 16, 64); err != nil || herr != nil || got != want || len(uid) != 8 {
				t.Errorf("%q became %q", s, uid)
			}
			return
		}
		if !strings.EqualFold(strings.NewReplacer(":", "", "-", "", " ", "", ".", "").Replace(s), uid) {
			t.Errorf("%q has other digits than %q", uid, s)
		}
	})
}

func TestPointID(t *testing.T) {
	p, err := facility.ParsePointID("pump-1/fault_word")
	if err != nil || p != (facility.PointID{Device: "pump-1", Quantity: "fault_word"}) || p.String() != "pump-1/fault_word" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, s := range []string{"", "/", "pump-1", "pump-1/", "/fault", "a/b/c", "a//b"} {
		if p, err := facility.ParsePointID(s); err == nil {
			t.Errorf("%q was read as %+v", s, p)
		}
	}
	in := map[facility.PointID]float64{{Device: "a", Quantity: "b"}: 1}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `{"a/b":1}` {
		t.Errorf("%s, %v", text, err)
	}
	var out map[facility.PointID]float64
	if err := json.Unmarshal(text, &out); err != nil || !cmp.Equal(in, out) {
		t.Errorf("%v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"ab":1}`), &out); err == nil {
		t.Error("a key that is no point was read")
	}
}

func FuzzParsePointID(f *testing.F) {
	for _, s := range []string{"a/b", "a/b/c", "/", "泵/压力"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := facility.ParsePointID(s); err == nil && p.String() != s {
			t.Errorf("%q was read as %q", s, p)
		}
	})
}

func TestQuality(t *testing.T) {
	var zero facility.Reading
	if zero.Quality != facility.Bad {
		t.Errorf("a reading that nobody filled in is %s", zero.Quality)
	}
	for q, name := range map[facility.Quality]string{facility.Bad: "bad", facility.Uncertain: "uncertain", facility.Good: "good"} {
		text, err := json.Marshal(q)
		if err != nil || string(text) != `"`+name+`"` {
			t.Errorf("%d in JSON: %s, %v", q, text, err)
		}
		var back facility.Quality
		if err := json.Unmarshal(text, &back); err != nil || back != q {
			t.Errorf("%s came back as %s, %v", text, back, err)
		}
	}
	for _, s := range []string{"", "Good", "quality(7)"} {
		q := facility.Good
		if err := q.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q was read as %s", s, q)
		}
	}
	if s := facility.Quality(7).String(); s != "quality(7)" {
		t.Error(s)
	}
}

func TestStreams(t *testing.T) {
	for kind, want := range map[facility.PointKind]facility.Stream{
		facility.Measure: facility.Telemetry, facility.Counter: facility.Telemetry,
		facility.State: facility.Urgent, facility.Signal: facility.Urgent,
	} {
		if kind.Stream() != want {
			t.Errorf("%s goes by %s", kind, kind.Stream())
		}
	}
}

func TestProblems(t *testing.T) {
	for want, p := range map[string]facility.Problem{
		"It is wrong.":                       {What: "It is wrong."},
		"a.b: It is wrong.":                  {Path: "a.b", What: "It is wrong."},
		"a.b: It is wrong. Write it better.": {Path: "a.b", What: "It is wrong.", Cure: "Write it better."},
	} {
		if p.Error() != want {
			t.Errorf("%q, want %q", p.Error(), want)
		}
	}
	in := []facility.Problem{{Path: ""}, {Path: "name"}, {Path: "[2].id"}}
	for prefix, want := range map[string][]string{
		"lines[0]": {"lines[0]", "lines[0].name", "lines[0][2].id"},
		"":         {"", "name", "[2].id"},
	} {
		var got []string
		for _, p := range facility.Under(prefix, in) {
			got = append(got, p.Path)
		}
		if !cmp.Equal(got, want) {
			t.Errorf("under %q: %q, want %q", prefix, got, want)
		}
	}
	if in[1].Path != "name" {
		t.Error("Under altered what it was given")
	}
}
