package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/scenario"
)

const configs = "../../configs"

func readYAML(t testing.TB, path string, into any, opts ...yaml.DecodeOption) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(data, into, opts...); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// world has the shipped rules and profiles.
func world(t testing.TB) scenario.World {
	t.Helper()
	zone := time.FixedZone("CST", 8*3600)
	w := scenario.World{
		Estate:  facility.Estate{Site: facility.Site{ID: "test", Zone: zone}},
		Options: []rules.Option{rules.WithDetectors(rules.Learners(zone))},
	}
	paths, err := filepath.Glob(filepath.Join(configs, "rules", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no rule files: %v", err)
	}
	for _, p := range paths {
		var f rules.File
		readYAML(t, p, &f, yaml.DisallowUnknownField())
		w.Rules = append(w.Rules, f.Rules...)
	}
	w.Profile = func(profile, id string) (facility.Device, bool) {
		path := filepath.Join(configs, "profiles", profile+".yaml")
		if _, err := os.Stat(path); err != nil {
			return facility.Device{}, false
		}
		var p struct {
			Kind   string
			Points []struct {
				ID     string
				Kind   facility.PointKind
				Unit   string
				Labels map[int]facility.Text
			}
		}
		readYAML(t, path, &p)
		d := facility.Device{ID: id, Kind: p.Kind}
		for _, q := range p.Points {
			d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: id, Quantity: q.ID}, Kind: q.Kind, Unit: q.Unit, Labels: q.Labels})
		}
		return d, true
	}
	return w
}

func TestShippedScenarios(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(configs, "rules", "tests", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	w := world(t)
	for _, path := range paths {
		var f scenario.File
		readYAML(t, path, &f, yaml.DisallowUnknownField())
		for _, o := range f.Run(w) {
			t.Run(filepath.Base(path)+"/"+o.Name, func(t *testing.T) {
				for _, p := range o.Failures {
					t.Errorf("%s: %s %s", p.Path, p.What, p.Cure)
				}
				t.Logf("%d readings, %d changes", o.Readings, len(o.Changes))
			})
		}
	}
}

// TestTheGuideIsTrue plays the scenarios of the guide, in both languages.
func TestTheGuideIsTrue(t *testing.T) {
	w := world(t)
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join(configs, "rules", "tests", name))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(text), "```yaml\n")
		example, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("%s has no example", name)
		}
		for _, o := range parse(t, example).Run(w) {
			for _, p := range o.Failures {
				t.Errorf("%s: %s: %s %s", name, p.Path, p.What, p.Cure)
			}
			if len(o.Changes) != 3 {
				t.Errorf("%s: %d changes", name, len(o.Changes))
			}
		}
	}
}
