package rules_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/facility"
	"gengfu/rules"
)

const configs = "../configs"

// shippedRules are the rules of configs/rules by file.
func shippedRules(t *testing.T) map[string][]rules.Rule {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(configs, "rules", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no rule files: %v", err)
	}
	out := map[string][]rules.Rule{}
	for _, p := range paths {
		var f rules.File
		readYAML(t, p, &f, yaml.DisallowUnknownField())
		out[filepath.Base(p)] = f.Rules
	}
	return out
}

// shippedInOrder are the rules of all files.
func shippedInOrder(t *testing.T) []rules.Rule {
	t.Helper()
	files := shippedRules(t)
	var out []rules.Rule
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, files[name]...)
	}
	return out
}

func readYAML(t *testing.T, path string, into any, opts ...yaml.DecodeOption) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(data, into, opts...); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// siteOf reads as much of a site file and its profiles as rules need.
func siteOf(t *testing.T, path string) facility.Estate {
	t.Helper()
	var site struct {
		Devices []struct {
			ID, Profile, Place, Parent string
			Name                       facility.Text
			Ratings                    map[string]string
		}
	}
	readYAML(t, path, &site)
	var e facility.Estate
	for _, d := range site.Devices {
		known := deviceOf(t, d.ID, d.Profile)
		known.Name, known.Place, known.Parent, known.Ratings = d.Name, d.Place, d.Parent, d.Ratings
		e.Devices = append(e.Devices, known)
	}
	return e
}

// deviceOf is a device of a shipped profile.
func deviceOf(t *testing.T, id, profileID string) facility.Device {
	t.Helper()
	var profile struct {
		Kind   string
		Points []struct {
			ID     string
			Kind   facility.PointKind
			Unit   string
			Labels map[int]facility.Text
		}
	}
	readYAML(t, filepath.Join(configs, "profiles", profileID+".yaml"), &profile)
	known := facility.Device{ID: id, Kind: profile.Kind}
	for _, p := range profile.Points {
		known.Points = append(known.Points, facility.Point{ID: facility.PointID{Device: id, Quantity: p.ID}, Kind: p.Kind, Unit: p.Unit, Labels: p.Labels})
	}
	return known
}

func TestShippedRulesFitShippedSites(t *testing.T) {
	files := shippedRules(t)
	for _, site := range []string{"demo.yaml", "example.yaml"} {
		path := filepath.Join(configs, site)
		var names struct{ Rules []string }
		readYAML(t, path, &names)
		e := siteOf(t, path)
		var all []rules.Rule
		for _, name := range names.Rules {
			rs := files[name+".yaml"]
			if len(rs) == 0 {
				t.Errorf("%s names no rules by %q", site, name)
			}
			if _, problems := rules.Compile(rs, e, rules.WithDetectors(rules.Learners(nil))); problems != nil {
				t.Errorf("%s at %s: %v", name, site, problems)
			}
			all = append(all, rs...)
		}
		if _, problems := rules.Compile(all, e, rules.WithDetectors(rules.Learners(nil))); problems != nil {
			t.Errorf("all at %s: %v", site, problems)
		}
	}
}

// TestShippedRulesAreAwake makes sure that an optional rule does not rest by a
// slip of the pen: each has a device in the demo estate or among those of which the
// estate has none.
func TestShippedRulesAreAwake(t *testing.T) {
	e := wholeRange(t)
	for _, rs := range shippedRules(t) {
		for _, r := range rs {
			if r.Advice.ZH == "" || r.Advice.EN == "" || r.Name.ZH == "" || r.Name.EN == "" {
				t.Errorf("%s does not speak both languages", r.ID)
			}
			engine, problems := rules.Compile([]rules.Rule{r}, e, rules.WithDetectors(rules.Learners(nil)))
			if problems != nil {
				t.Errorf("%s: %v", r.ID, problems)
			} else if engine.Instances() == 0 {
				t.Errorf("%s is for no device", r.ID)
			}
		}
	}
}

// wholeRange is the demo estate with a device of each kind that it lacks.
func wholeRange(t *testing.T) facility.Estate {
	t.Helper()
	e := siteOf(t, filepath.Join(configs, "demo.yaml"))
	e.Site.Zone = time.FixedZone("CST", 8*3600)
	for _, d := range []struct {
		id, profile, parent string
		ratings             map[string]string
	}{
		{id: "drive-1", profile: "invt-goodrive"},
		{id: "drive-2", profile: "schneider-altivar"},
		{id: "heat-1", profile: "cjt188-heat"},
		{id: "gas-1", profile: "cjt188-gas"},
		{id: "flat-water", profile: "cjt188-water", parent: "main-water"},
		{id: "old-water", profile: "cjt188-water", ratings: map[string]string{"pipe": "DN20"}},
		{id: "garden-water", profile: "tuf-2000", ratings: map[string]string{"pipe": "DN40"}},
		{id: "flat-power", profile: "dlt645-2007", parent: "main-power", ratings: map[string]string{"current": "40 A"}},
		{id: "shop-power", profile: "dlt645-2007-three-phase", parent: "main-power"},
		{id: "small-power", profile: "pzem-016"},
		{id: "solar-power", profile: "dlt645-2007-three-phase", ratings: map[string]string{"solar": "50 kW"}},
		{id: "carport-power", profile: "dlt645-2007", parent: "solar-power"},
		{id: "tower-power", profile: "dlt645-2007", ratings: map[string]string{"loss": "8 %"}},
		{id: "floor-power", profile: "dlt645-2007", parent: "tower-power"},
		{id: "booster", profile: "wilo-booster"},
		{id: "riser", profile: "qdy30a-pressure"},
	} {
		known := deviceOf(t, d.id, d.profile)
		known.Parent, known.Ratings = d.parent, d.ratings
		e.Devices = append(e.Devices, known)
	}
	// What a site makes of copied profiles.
	e.Devices = append(e.Devices,
		device("simple-pump", "pump", "shed", text("", ""), quantity("fault", facility.Signal, "")),
		device("sump", "sump", "garage", text("", ""), quantity("level", facility.Measure, "m")),
		device("sump-inputs", "digital_input", "garage", text("", ""),
			quantity("sump_high", facility.Signal, ""), quantity("sump_pump_running", facility.State, "", 0, 1)))
	return e
}

func TestShippedRulesJudge(t *testing.T) {
	const word = "pump-1/running=1 pump-1/fault=0 pump-1/dry_run=0 pump-1/overpressure=0 pump-1/sensor_fault=0 pump-1/duty=1 pump-1/mode=2 pump-1/setpoint=4"
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
		{
			"a pump trips and is reset",
			[]string{"0s " + word, "5s pump-1/fault=1", "60s pump-1/fault=0", "70s tick"},
			[]string{"5s raise pump-fault/pump-1 unacknowledged", "1m3s clear pump-fault/pump-1 returned"},
		},
		{
			"a pump's contact chatters: one alarm, once",
			[]string{
				"0s " + word, "5s pump-1/fault=1", "6s pump-1/fault=0", "7s pump-1/fault=1", "8s pump-1/fault=0", "9s pump-1/fault=1",
				"10s pump-1/fault=0", "20s tick",
			},
			[]string{"5s raise pump-fault/pump-1 unacknowledged", "13s clear pump-fault/pump-1 returned"},
		},
		{
			"a pump runs dry: one alarm",
			[]string{"0s " + word, "5s pump-1/fault=1 pump-1/dry_run=1", "60s pump-1/fault=0 pump-1/dry_run=0", "70s tick"},
			[]string{"5s raise pump-dry-run/pump-1 unacknowledged", "1m10s clear pump-dry-run/pump-1 returned"},
		},
		{
			"the pressure dips and then falls",
			[]string{
				"0s " + word, "1s pump-1/outlet_pressure=4", "10s pump-1/outlet_pressure=2.8", "20s pump-1/outlet_pressure=3.5",
				"30s pump-1/outlet_pressure=2.5", "45s pump-1/outlet_pressure=2.4", "60s pump-1/outlet_pressure=3.2", "120s pump-1/outlet_pressure=3.9", "150s tick",
			},
			[]string{"45s raise outlet-pressure-low/pump-1 unacknowledged", "2m30s clear outlet-pressure-low/pump-1 returned"},
		},
		{
			"a pump runs without pressure: one alarm",
			[]string{"0s " + word, "1s pump-1/outlet_pressure=0.1", "31s tick", "40s pump-1/running=0", "45s tick"},
			[]string{"31s raise running-without-pressure/pump-1 unacknowledged", "45s clear running-without-pressure/pump-1 returned"},
		},
		{
			"the tank runs empty and fills again",
			[]string{"0s tank/level=2", "10s tank/level=1.4", "70s tank/level=0.7", "80s tank/level=0.6", "100s tank/level=2.4", "160s tank/level=2.8", "300s tank/level=2.9", "310s tick"},
			[]string{
				"1m10s raise tank-low/tank unacknowledged", "1m20s raise tank-very-low/tank unacknowledged",
				"2m40s clear tank-low/tank returned", "2m40s clear tank-very-low/tank returned",
				"3m40s raise tank-high/tank unacknowledged", "5m10s raise tank-very-high/tank unacknowledged",
			},
		},
		{
			"the floor is wet, and the sump with it: one alarm",
			[]string{"0s pump-room-inputs/floor_water=0 pump-room-inputs/sump_high=0", "5s pump-room-inputs/floor_water=1 pump-room-inputs/sump_high=1", "20s tick"},
			[]string{"7s raise floor-water/pump-room-inputs unacknowledged"},
		},
		{
			"a pipe bursts",
			[]string{"0s main-water/flow=6", "10s main-water/flow=33", "70s main-water/flow=32", "600s main-water/flow=7", "900s tick"},
			[]string{"1m10s raise water-burst/main-water unacknowledged", "15m0s clear water-burst/main-water returned"},
		},
		{
			"water runs at night (the script starts at noon)",
			[]string{"13h59m water-a/flow=4", "14h water-a/flow=4", "14h30m water-a/flow=4", "16h water-a/flow=4", "20h water-a/flow=9", "38h water-a/flow=0.5", "39h tick"},
			[]string{"14h30m0s raise water-night-flow/water-a unacknowledged", "38h15m0s clear water-night-flow/water-a returned"},
		},
		{
			"a phase is lost: one alarm",
			[]string{"0s main-power/voltage_l1=228 main-power/voltage_l2=230 main-power/voltage_l3=229", "10s main-power/voltage_l2=12", "100s main-power/voltage_l2=229", "200s tick"},
			[]string{"20s raise phase-loss/main-power unacknowledged", "2m10s clear phase-loss/main-power returned"},
		},
		{
			"a voltage is out of its band",
			[]string{"0s main-power/voltage_l1=228 main-power/voltage_l2=230 main-power/voltage_l3=229", "10s main-power/voltage_l3=236", "90s main-power/voltage_l3=229", "160s main-power/voltage_l1=190", "250s tick"},
			[]string{"1m10s raise voltage-high/main-power unacknowledged", "2m30s clear voltage-high/main-power returned", "3m40s raise voltage-low/main-power unacknowledged"},
		},
		{
			"a meter falls silent",
			[]string{"0s main-water/online=1", "10s main-water/online=0", "40s tick"},
			[]string{"40s raise device-offline/main-water unacknowledged"},
		},
		{
			"a pump starts too often",
			[]string{"0s pump-1/starts=100", "30m pump-1/starts=105", "60m pump-1/starts=120", "90m pump-1/starts=121", "120m pump-1/starts=122"},
			[]string{"1h0m0s raise pump-starts-often/pump-1 unacknowledged", "2h0m0s clear pump-starts-often/pump-1 returned"},
		},
	}
	var all []rules.Rule
	for _, r := range shippedInOrder(t) {
		if r.NoData == nil { // the scripts leave long pauses
			all = append(all, r)
		}
	}
	site := siteOf(t, filepath.Join(configs, "demo.yaml"))
	site.Site.Zone = time.FixedZone("CST", 8*3600)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, problems := rules.Compile(all, site, rules.WithDetectors(rules.Learners(site.Site.Zone)))
			if problems != nil {
				t.Fatal(problems)
			}
			wantLines(t, script(t, e, test.lines...), test.want)
		})
	}
}

func TestMetersWithoutData(t *testing.T) {
	e, problems := rules.Compile(shippedRules(t)["meters.yaml"], siteOf(t, filepath.Join(configs, "example.yaml")))
	if problems != nil {
		t.Fatal(problems)
	}
	wantLines(t, script(t, e, "0s tick", "1m main-water/total=5", "15m tick", "16m tick"), []string{
		"15m0s raise meter-no-data/main-power unacknowledged",
		"15m0s raise meter-no-data/block-a-power unacknowledged",
		"15m0s raise meter-no-data/block-a-water unacknowledged",
		"16m0s raise meter-no-data/main-water unacknowledged",
	})
}
