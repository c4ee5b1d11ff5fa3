package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The children of the bench are this program once more.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(beChild(role, os.Args[1:]))
	}
	os.Exit(m.Run())
}

var smoke = plan{append: 20_000, windows: 1, through: 20_000, backlog: 5_000, meters: 40_000, year: 30 * 24 * time.Hour, settle: 3 * time.Second, watch: 2 * time.Second, enough: 1}

func TestSmokeRunMeasuresEverything(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the bench reads /proc, which only Linux has")
	}
	if testing.Short() {
		t.Skip("runs a whole estate")
	}
	for _, g := range []struct {
		name, server string
		figures      []string
	}{
		{"journal", "", []string{"journal_append"}},
		{"history", "", []string{"history_bytes", "history_year"}},
		{"through", "mosquitto", []string{"pipeline_rate", "pipeline_cpu"}},
		{"influxdb", "influxd", []string{"influxdb_share"}},
		{"backlog", "mosquitto", []string{"backlog_drain", "backlog_live_late", "backlog_rss_growth"}},
		{"idle", "mosquitto", []string{"idle_cpu", "idle_rss"}},
	} {
		t.Run(g.name, func(t *testing.T) {
			if _, err := find(g.server); g.server != "" && err != nil && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			var out bytes.Buffer
			if err := bench(t.Context(), smoke, g.name, &out); err != nil {
				t.Fatal(err)
			}
			t.Log("\n" + out.String())
			for _, name := range g.figures {
				checkLine(t, out.String(), name)
			}
		})
	}
}

func checkLine(t *testing.T, out, name string) {
	t.Helper()
	_, line, found := strings.Cut(out, "\nfigure "+name+" ")
	line, _, _ = strings.Cut(line, "\n")
	var value, reach float64
	var unit, relation, verdict string
	if n, err := fmt.Sscan(line, &value, &unit, &relation, &reach, &verdict); !found || err != nil || n != 5 {
		t.Fatalf("%s: line %q: %v", name, line, err)
	}
	well := value <= reach
	if relation == ">=" {
		well = value >= reach
	}
	if reach <= 0 || (verdict == "ok") != well {
		t.Errorf("%s: line %q cannot be", name, line)
	}
}

// A child that cannot do its work says why, and the bench passes it on.
func TestChildThatFailsIsTold(t *testing.T) {
	dir := t.TempDir()
	p, err := startSelf(t.Context(), dir, "edge", roleFeed, "", "-config", dir+"/none.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.hear(t.Context(), "ready"); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("error %v", err)
	}
	if err := p.stop(); err == nil {
		t.Error("its exit status was passed over")
	}
}

// Readings come a share of the period apart, each value on two decimals.
func TestSourceReadsEachMeterOnceInAPeriod(t *testing.T) {
	cfg, err := site{dir: t.TempDir(), meters: 4}.configure("embedded")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	s := newSource(cfg, begin, time.Second)
	if s.points() != 4*fieldsOfMeter {
		t.Fatalf("%d points", s.points())
	}
	seen := map[string]int{}
	for i := range 12 {
		readings := s.read()
		seen[readings[0].Point.Device]++
		planned := begin.Add(time.Duration(i) * 250 * time.Millisecond)
		if late := readings[0].Time.Sub(planned); len(readings) != fieldsOfMeter || late < 0 || late > 5*time.Millisecond {
			t.Errorf("%d readings %s after their time", len(readings), late)
		}
	}
	if len(seen) != 4 || seen["meter-0"] != 3 {
		t.Errorf("read %v", seen)
	}
}
