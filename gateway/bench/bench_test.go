package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/bench/observe"
	"gengfu/gateway/config"
)

func TestSmokeRunMeasuresEverything(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the bench reads /proc, which only Linux has")
	}
	if testing.Short() {
		t.Skip("builds and runs the whole program")
	}
	binary := filepath.Join(t.TempDir(), "gengfu")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "gengfu/gateway")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gengfu: %v\n%s", err, said)
	}
	var out bytes.Buffer
	if err := bench(t.Context(), binary, smoke, &out); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	for _, name := range []string{
		"start_listen", "start_ready", "start_ready_again", "rss_after_minute", "cpu_idle",
		"register_to_page_p50", "register_to_page_p99", "register_to_points_p50", "register_to_points_p99", "binary_size",
	} {
		_, line, found := strings.Cut(out.String(), "\nfigure "+name+" ")
		line, _, _ = strings.Cut(line, "\n")
		var value, reach float64
		var unit, verdict string
		if n, err := fmt.Sscanf(line, "%g %s <= %g %s", &value, &unit, &reach, &verdict); !found || err != nil || n != 4 {
			t.Errorf("%s: line %q: %v", name, line, err)
			continue
		}
		if value <= 0 || reach <= 0 || (verdict == "ok") != (value <= reach) {
			t.Errorf("%s: line %q cannot be", name, line)
		}
	}
}

func TestBenchFailsWhereNothingCanBeMeasured(t *testing.T) {
	var out bytes.Buffer
	if err := bench(t.Context(), filepath.Join(t.TempDir(), "none"), smoke, &out); err == nil || out.Len() > 0 {
		t.Errorf("error %v and output %q for a program that is not there", err, &out)
	}
}

// The reach depends on how often the demo reads a fault bit.
func TestReachFollowsTheDemo(t *testing.T) {
	cfg, err := config.BuiltIn("demo")
	if err != nil {
		t.Fatal(err)
	}
	pumps := 0
	for _, d := range cfg.Estate.Devices {
		for _, p := range d.Points {
			if d.Kind == "pump" && p.ID == (facility.PointID{Device: d.ID, Quantity: "fault"}) {
				pumps++
				if p.Period != pollPeriod {
					t.Errorf("%s is read every %s, not every %s", p.ID, p.Period, pollPeriod)
				}
			}
		}
	}
	if pumps != pumpsOfDemo {
		t.Errorf("%d pumps have a fault bit, not %d", pumps, pumpsOfDemo)
	}
}

func TestWatchNotesWhenAPumpChanged(t *testing.T) {
	w := &watch{pumps: map[string]pump{}}
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for i, step := range []struct{ name, data string }{
		{"points", `{"points":[{"id":"pump-1/fault","value":0},{"id":"pump-2/fault","value":null}]}`},
		{"points", `{"points":[{"id":"pump-1/fault","value":1}]}`},
		{"alarm", `{"device":"pump-1","rule":"outlet-pressure-low","state":"unacknowledged"}`},
		{"alarm", `{"device":"pump-1","rule":"pump-fault","state":"unacknowledged"}`},
		{"points", `{"points":[{"id":"pump-1/fault","value":1}]}`}, // said again
		{"alarm", `{"device":"pump-1","rule":"pump-fault","state":"unacknowledged","count":1}`},
		{"overview", `{}`},
	} {
		e := observe.Event{At: at.Add(time.Duration(i) * time.Second), Name: step.name, Data: []byte(step.data)}
		if err := w.take(e, true); err != nil {
			t.Fatal(err)
		}
	}
	want := pump{fault: true, alarm: true, faultAt: at.Add(time.Second), alarmAt: at.Add(3 * time.Second)}
	if got := w.pumps["pump-1"]; got != want || !got.broken() || got.whole() {
		t.Errorf("pump 1 is %+v, want %+v", got, want)
	}
	if !w.pumps["pump-2"].whole() {
		t.Errorf("pump 2 is %+v, want whole", w.pumps["pump-2"])
	}
	if err := w.take(observe.Event{}, false); err == nil {
		t.Error("the end of the stream was not told")
	}
	if err := w.take(observe.Event{Name: "alarm", Data: []byte("{")}, true); err == nil {
		t.Error("an alarm that cannot be read was let pass")
	}
}
