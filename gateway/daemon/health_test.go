package daemon

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gengfu/facility"
	"gengfu/gateway/account"
	"gengfu/gateway/config"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

func scraped(t *testing.T, b *box) map[string]*dto.MetricFamily {
	t.Helper()
	code, body := get(t, client(t, nil), b.url+"/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", code, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// documented are the metrics of docs/operations.md: type and labels by name.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `(gengfu_[a-z_]+)` \\| (gauge|counter) \\| ([^|]*) \\| ([^|]*) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		out[m[1]] = m[2] + " " + strings.NewReplacer("`", "", "–", "").Replace(m[3]) + " " + m[4]
	}
	return out
}

// TestEveryMetricIsDocumentedAndThere holds docs/operations.md against what is scraped.
func TestEveryMetricIsDocumentedAndThere(t *testing.T) {
	_, address := simulatedPump(t)
	b := newBox(t, load(t, fmt.Sprintf(twoBoxes, "both", address, `{url: embedded}`), nil))
	b.start()
	b.ready()
	listed := documented(t)
	var all map[string]*dto.MetricFamily
	// That of the hub's word on the clock is only there where the hub is elsewhere.
	elsewhere := []string{"gengfu_clock_offset_seconds"}
	var missing []string
	eventually(t, 2*time.Minute, "all metrics", func() bool {
		all, missing = scraped(t, b), nil
		for name := range listed {
			if all[name] == nil && !slices.Contains(elsewhere, name) {
				missing = append(missing, name)
			}
		}
		return len(missing) == 0
	})
	if len(missing) > 0 {
		t.Errorf("documented, and not there: %v", missing)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, "gengfu_") {
			continue
		}
		f := all[name]
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		said, ok := listed[name]
		parts := strings.SplitN(said, " ", 2)
		if !ok || !strings.EqualFold(parts[0], f.GetType().String()) || !strings.HasSuffix(said, " "+f.GetHelp()) {
			t.Errorf("%s is a %s with labels %v that says %q; documented is %q", name, f.GetType(), labels, f.GetHelp(), said)
		}
		for _, l := range labels {
			if !strings.Contains(strings.TrimSuffix(said, f.GetHelp()), l) {
				t.Errorf("%s: the label %s is not documented: %q", name, l, said)
			}
		}
		if counter := f.GetType() == dto.MetricType_COUNTER; counter != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, f.GetType())
		}
	}
	if v := all["gengfu_facts_difference"].Metric[0].GetGauge().GetValue(); v != 0 {
		t.Errorf("the law is broken by %v", v)
	}
	if all["process_resident_memory_bytes"] == nil {
		t.Error("the metrics do not say how much memory there is")
	}
}

const childConfig, childData = "GENGFU_TEST_CHILD_CONFIG", "GENGFU_TEST_CHILD_DATA"

// TestChild is a gateway that the test below kills.
func TestChild(t *testing.T) {
	if os.Getenv(childConfig) == "" {
		t.Skip("is run by another test")
	}
	c, err := config.Load(os.Getenv(childConfig))
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), Options{Config: c, Data: os.Getenv(childData), Version: "test", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
}

// TestTheLawHoldsOverKills: a gateway is killed at any moment, again and again. Then all
// books balance, and the history has as many readings as they say.
func TestTheLawHoldsOverKills(t *testing.T) {
	_, address := simulatedPump(t)
	c := load(t, fmt.Sprintf(twoBoxes, "both", address, `{url: embedded}`), nil)
	b := newBox(t, c)
	const kills = 4
	for range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), childConfig+"="+c.Path, childData+"="+b.data)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		eventually(t, 2*time.Minute, "the child to write", func() bool {
			is, err := os.Stat(filepath.Join(b.data, telemetryFile+"-wal"))
			return err == nil && is.Size() > 0 && is.ModTime().After(began)
		})
		<-time.After(500*time.Millisecond + rand.N(time.Second))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	b.start()
	b.ready()
	var h health
	eventually(t, 2*time.Minute, "what the field brings to come", func() bool {
		code, body := get(t, client(t, nil), b.url+"/api/health")
		if err := json.Unmarshal([]byte(body), &h); err != nil || code != http.StatusOK {
			t.Fatalf("%d, %v: %s", code, err, body)
		}
		return h.Law.Delivered > 50 && h.History.LastWrite != nil
	})
	if h.Law.Difference != 0 || h.Law.Kills == 0 {
		t.Errorf("running: %+v", h.Law)
	}
	if h.Memory == 0 || h.Summary.Text.EN == "" || h.History.LastWrite == nil {
		t.Errorf("%+v, %+v, memory %d", h.Summary, h.History, h.Memory)
	}
	b.stop()

	l := lawOf(t, c, b.data)
	if l.Difference != 0 || l.Read != l.Delivered+l.Queued+l.Dropped || l.Dropped != 0 || l.Read < 50 {
		t.Errorf("at rest: %+v", l)
	}
	store, err := OpenHistory(t.Context(), c, b.data)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // it was only read
	rows, err := store.Rows(t.Context(), nil, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(rows)) != l.History.Delivered {
		t.Errorf("the history holds %d readings; the books say %d: %+v", len(rows), l.History.Delivered, l.History)
	}
}

// lawOf reads the books of a gateway that does not run.
func lawOf(t *testing.T, c *config.Config, data string) account.Law {
	t.Helper()
	books := func(file string, count func([]byte) int, cursors ...string) journal.Books {
		j, err := journal.Open(filepath.Join(data, file), journal.Options{Cursors: cursors, Facts: count, MaxBytes: 4 << 30})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close() //nolint:errcheck // it was only read
		return j.Stats().Books
	}
	var edges []account.Edge
	for stream, file := range map[facility.Stream]string{facility.Telemetry: telemetryFile, facility.Urgent: urgentFile} {
		edges = append(edges, account.Edge{Site: c.Site.ID, Gateway: c.Gateway.ID, Stream: string(stream), Books: books(file, payload.Facts, uplink.Cursor)})
	}
	have := books(hubFile, payload.FactsWrapped, hub.Cursors...)
	opened := have.Passed(hub.CursorHistory)
	return account.Of(edges, &account.Hub{Books: have, Opened: opened, History: hub.CursorHistory, Judge: hub.CursorJudge}, edges, 0)
}
