package profile_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// load reads the profiles that come with the program, as strictly as the program
// does.
func load(t testing.TB) map[string]profile.Profile {
	t.Helper()
	files, err := filepath.Glob("../../configs/profiles/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles found: %v", err)
	}
	out := make(map[string]profile.Profile, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p profile.Profile
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()).Decode(&p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".yaml")] = p
	}
	return out
}

func TestFilesAreWithoutMistakes(t *testing.T) {
	for id, p := range load(t) {
		t.Run(id, func(t *testing.T) {
			if p.ID != id {
				t.Errorf("the id is %q, the file's name says %q", p.ID, id)
			}
			for _, problem := range p.Validate() {
				t.Error(problem)
			}
			if len(p.Golden) == 0 {
				t.Error("the profile has no golden frames")
			}
			for _, pt := range p.Points {
				if pt.Name.ZH == "" || pt.Name.EN == "" {
					t.Errorf("point %s is not named in both languages", pt.ID)
				}
			}
			p.Defaults()
			if more := p.Validate(); len(more) != 0 {
				t.Errorf("with its defaults it has mistakes: %v", more)
			}
		})
	}
}

// Every point of every profile shows each value of its range again, to half a
// step of its register.
func TestFilesRoundTrip(t *testing.T) {
	for id, p := range load(t) {
		p.Defaults()
		for _, pt := range p.Points {
			try := roundTrip
			if p.Protocol != profile.Modbus {
				try = roundTripOfMeter
			}
			t.Run(id+"/"+pt.ID, func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { try(t, pt) }) })
		}
	}
}

func drawValue(t *rapid.T, pt profile.Point) float64 {
	low, high := 0.0, 30000*pt.Scale
	if pt.Min != nil {
		low = *pt.Min
	}
	if pt.Max != nil {
		high = *pt.Max
	}
	if pt.Bit != nil || pt.Binary() {
		high = float64(int(1)<<max(pt.Width, 1) - 1)
	}
	value := rapid.Float64Range(low, high).Draw(t, "value")
	if pt.Bit != nil || pt.Binary() || pt.Kind == facility.State {
		value = math.Round(value)
	}
	return value
}

func roundTripOfMeter(t *rapid.T, pt profile.Point) {
	value := drawValue(t, pt)
	raw, err := pt.Raw(value)
	if err != nil {
		t.Fatalf("Raw(%v): %v", value, err)
	}
	again, q, reason := pt.Finish(raw, facility.Good, "")
	if q != facility.Good || math.Abs(again-value) > 1e-9*math.Max(1, math.Abs(value)) {
		t.Fatalf("%v became %v, which is %v (%v %q)", value, raw, again, q, reason)
	}
}

func roundTrip(t *rapid.T, pt profile.Point) {
	value := drawValue(t, pt)
	words, err := pt.Encode(value)
	if err != nil {
		t.Fatalf("Encode(%v): %v", value, err)
	}
	step := pt.Scale
	if strings.Contains(pt.Type, "f") {
		step = 1e-6 * math.Max(1, math.Abs(value))
	}
	again, q, reason := pt.Decode(words)
	if q != facility.Good || math.Abs(again-value) > 0.5*step+1e-9+1e-12*math.Abs(value) {
		t.Fatalf("%v became %04x, which is %v (%v %q)", value, words, again, q, reason)
	}
}

func TestFacilityPoints(t *testing.T) {
	p := load(t)["pump-controller"]
	points := p.FacilityPoints("pump-1")
	if len(points) != len(p.Points) {
		t.Fatalf("%d points of %d", len(points), len(p.Points))
	}
	for i, pt := range points {
		want := facility.PointID{Device: "pump-1", Quantity: p.Points[i].ID}
		if pt.ID != want || pt.Period <= 0 {
			t.Errorf("point %d is %v every %v, want %v", i, pt.ID, pt.Period, want)
		}
		if engineer := want.Quantity == "fault_word" || want.Quantity == "setpoint" || want.Quantity == "starts"; pt.Detail != engineer {
			t.Errorf("%v is a detail: %v", pt.ID, pt.Detail)
		}
	}
	for _, c := range []struct {
		point profile.Point
		want  float64
	}{
		{profile.Point{Kind: "counter", Type: "u16"}, 65536},
		{profile.Point{Kind: "counter", Type: "u32", Scale: 0.01}, 42949672.96},
		{profile.Point{Kind: "counter", Type: "bcd32", Scale: 0.01, Wrap: 10000}, 10000},
		{profile.Point{Kind: "counter", Type: "bcd32", Scale: 0.01}, 1e6},
		{profile.Point{Kind: "counter", Type: "f32"}, 0},
		{profile.Point{Kind: "counter", Type: "i32"}, 0},
		{profile.Point{Kind: "measure", Type: "u32"}, 0},
	} {
		got := profile.Profile{Points: []profile.Point{c.point}}.FacilityPoints("x")[0].Wrap
		if math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%+v rolls over at %v, want %v", c.point, got, c.want)
		}
	}
	if p.Points[0].Period != 0 {
		t.Error("FacilityPoints changed the profile")
	}
}

// The list of profiles in the README is that of the files.
func TestReadmeListsTheFiles(t *testing.T) {
	readme, err := os.ReadFile("../../configs/profiles/README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(readme)) {
		if cells := strings.Split(line, "|"); len(cells) == 9 && strings.Contains(cells[1], "`") {
			listed[strings.Trim(cells[1], " `")] = strings.Trim(cells[3], " `")
		}
	}
	profiles := load(t)
	for id, p := range profiles {
		if listed[id] != p.Kind {
			t.Errorf("%s is listed as %q, it is %q", id, listed[id], p.Kind)
		}
		delete(listed, id)
	}
	if len(listed) > 0 {
		t.Errorf("there are no files for %v", listed)
	}
	if len(profiles) < 40 {
		t.Errorf("%d profiles", len(profiles))
	}
}
