package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/daemon"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/history/influxtest"
)

var historyStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// pastOf makes a data folder whose embedded history holds so many seconds of a
// pump's pressure and now and then a flow, with marks of all kinds.
func pastOf(t *testing.T, seconds int) (data string) {
	t.Helper()
	data = t.TempDir()
	s, err := embedded.Open(t.Context(), embedded.Options{Path: filepath.Join(data, "history.db"), HeadLimit: 40_000})
	if err != nil {
		t.Fatal(err)
	}
	var rows []history.Row
	add := func(i int, quantity string, v float64, q facility.Quality, why facility.Reason) {
		rows = append(rows, history.Row{Kind: "pump", Reading: facility.Reading{
			Point: facility.PointID{Device: "pump-1", Quantity: quantity}, Time: historyStart.Add(time.Duration(i) * time.Second),
			Value: v, Quality: q, Reason: why,
		}})
	}
	for i := range seconds {
		switch {
		case i%1000 == 7:
			add(i, "outlet_pressure", 0, facility.Bad, facility.NoAnswer)
		case i%1000 == 8:
			add(i, "outlet_pressure", 3, facility.Uncertain, facility.ClockUnknown)
		default:
			add(i, "outlet_pressure", math.Round(300+10*math.Sin(float64(i)/100))/100, facility.Good, "")
		}
		if i%600 == 0 {
			add(i, "fault", float64(i/600%2), facility.Good, "")
		}
	}
	if err := s.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// siteInInflux is the same site with its history in InfluxDB.
func siteInInflux(t *testing.T, url, token, bucket string) string {
	t.Helper()
	text, err := os.ReadFile(siteWith(t, "127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	secret := write(t, "influx.secret", token)
	return write(t, "site.yaml", string(text)+fmt.Sprintf(`history:
  engine: influxdb
  influxdb: {url: %q, org: any, bucket: %q, token_file: %q}
`, url, bucket, secret))
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHistoryThereAndBack(t *testing.T) {
	site, data := siteWith(t, "127.0.0.1:1"), pastOf(t, 5000)
	dir := t.TempDir()
	first := filepath.Join(dir, "first.csv")
	run(t, "", "history", "export", "--config", site, "--data", data, "--format", "csv", "-o", first).wants(t, done, "", "5009 readings")
	if text := contentOf(t, first); !strings.Contains(text, "2026-03-01T00:00:07.000Z,pump-1,outlet_pressure,,bar,bad,no_answer,pump,") {
		t.Errorf("the table begins\n%.600s", text)
	}
	for _, format := range []string{"lines", "csv"} {
		packed, again := filepath.Join(dir, format+".gz"), filepath.Join(dir, format+"-again.csv")
		other := filepath.Join(t.TempDir(), "new")
		run(t, "", "history", "export", "--config", site, "--data", data, "--format", format, "-o", packed, "-q").wants(t, done, "", "")
		for range 2 { // again is the same
			run(t, "", "history", "import", "--config", site, "--data", other, packed).wants(t, done, "", "5009 readings taken, 0 refused, 0 lines wrong")
		}
		run(t, "", "history", "export", "--config", site, "--data", other, "--format", "csv", "-o", again).wants(t, done, "", "5009 readings")
		if contentOf(t, again) != contentOf(t, first) {
			t.Errorf("by %s something else came back", format)
		}
	}

	part := run(t, "", "history", "export", "--config", site, "--data", data, "--from", "2026-03-01T08:00", "--to", "2026-03-01T00:00:05Z", "--device", "pump-1")
	part.wants(t, done, "", "6 readings")
	if strings.Count(part.out, "\n") != 5 || !strings.HasPrefix(part.out, "pump,device=pump-1,site=garden fault=0,outlet_pressure=3 1772323200000\n") {
		t.Errorf("five seconds are\n%s", part.out)
	}
	run(t, "", "history", "export", "--config", site, "--data", data, "--device", "pump-9").wants(t, done, "", "0 readings")
	run(t, "", "history", "export", "--config", site, "--data", data, "--from", "yesterday").wants(t, failed, "", "yesterday")
	run(t, "", "history", "export", "--config", site, "--data", t.TempDir()).wants(t, failed, "", "history.db")

	mixed := part.out + "pump,device=pump-1,site=elsewhere flow=1 1772323200000\npump,device=pump-1,site=garden f_bad_=1,_x=2 1772323200000\n"
	r := run(t, mixed, "history", "import", "--config", site, "--data", filepath.Join(t.TempDir(), "new"))
	r.wants(t, failed, "", "7 readings taken, 1 refused, 1 lines wrong")
	r.wants(t, failed, "", "line 6: it is of the site \"elsewhere\"")
	run(t, mixed, "history", "import", "--config", site, "--data", filepath.Join(t.TempDir(), "new"), "--any-site").
		wants(t, failed, "", "8 readings taken, 1 refused, 0 lines wrong")
}

// An export may be made beside a gateway that runs, an import into its files not.
func TestHistoryBesideAGateway(t *testing.T) {
	_, address := pump(t)
	site, data := siteWith(t, address), pastOf(t, 100)
	g := start(t, "run", "--config", site, "--data", data)
	eventually(t, "a reading of now", func() bool {
		r := run(t, "", "history", "export", "--config", site, "--data", data, "--from", time.Now().UTC().Add(-time.Hour).Format(time.RFC3339))
		return strings.Contains(r.out, "outlet_pressure=")
	})
	run(t, "pump,device=pump-1 flow=1 1772323200000\n", "history", "import", "--config", site, "--data", data).wants(t, failed, "", "another gateway")
	run(t, "", "history", "copy", "--config", site, "--data", data).wants(t, failed, "", "write engine: influxdb")
	run(t, "", "history", "refused", "--data", data).wants(t, done, "0 held", "")
	if code, _ := g.stop(); code != done {
		t.Errorf("the gateway ended with %d: %s", code, g.err.String())
	}
}

// A copy that is interrupted goes on where it was, and in the end InfluxDB holds
// what the embedded history held, to the bit.
func TestHistoryCopy(t *testing.T) {
	server, token, bucket := influxtest.Start(t)
	const readings = 300_000
	data := pastOf(t, readings)
	behind, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writes atomic.Int64
	forward := httputil.NewSingleHostReverseProxy(behind)
	forward.ErrorLog = log.New(t.Output(), "", 0)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/write") && writes.Add(1) == 12 {
			cancel() // in the middle of the copy
		}
		// The server answers a query before it has it, and then Go's proxy may find the
		// rest of the request gone.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		forward.ServeHTTP(w, r)
	}))
	defer front.Close()
	site := siteInInflux(t, front.URL, token, bucket)

	var out, errOut bytes.Buffer
	if code := Main(ctx, "1.2.3", []string{"history", "copy", "--config", site, "--data", data}, strings.NewReader(""), &out, &errOut); code != interrupted ||
		!strings.Contains(errOut.String(), "goes on from there") {
		t.Fatalf("status %d: %s", code, errOut.String())
	}
	before := writes.Load()
	r := run(t, "", "history", "copy", "--config", site, "--data", data)
	r.wants(t, done, fmt.Sprintf("%d readings are in InfluxDB", readings+readings/600), "going on from 2026-03-0")
	if again := writes.Load() - before; again > 17 {
		t.Errorf("after the interruption it wrote %d times more, of 22 in all", again)
	}

	dir := t.TempDir()
	old, copied := filepath.Join(dir, "old.csv"), filepath.Join(dir, "copied.csv")
	run(t, "", "history", "export", "--config", siteWith(t, "127.0.0.1:1"), "--data", data, "--format", "csv", "-o", old).wants(t, done, "", "")
	run(t, "", "history", "export", "--config", site, "--data", data, "--format", "csv", "-o", copied).wants(t, done, "", "")
	if contentOf(t, old) != contentOf(t, copied) {
		t.Error("InfluxDB holds something else")
	}

	// What came late is found by the comparison and brought after.
	s, err := embedded.Open(t.Context(), embedded.Options{Path: filepath.Join(data, "history.db")})
	if err != nil {
		t.Fatal(err)
	}
	late := history.Row{Kind: "pump", Reading: facility.Reading{
		Point: facility.PointID{Device: "pump-1", Quantity: "outlet_pressure"}, Time: historyStart.Add(1500 * time.Millisecond), Value: 9, Quality: facility.Good,
	}}
	if err := s.Write(t.Context(), []history.Row{late}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, "", "history", "copy", "--config", site, "--data", data).wants(t, done, "readings are in InfluxDB", "")
	run(t, "", "history", "export", "--config", site, "--data", data, "--to", "2026-03-01T00:00:02Z").wants(t, done, "outlet_pressure=9 1772323201500", "")
}

func TestHistoryRefused(t *testing.T) {
	data := t.TempDir()
	run(t, "", "history", "refused", "--data", data).wants(t, failed, "", "no gateway has run")
	q, err := daemon.OpenQuarantine(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	row := history.Row{Kind: "pump", Reading: facility.Reading{
		Point: facility.PointID{Device: "pump-1", Quantity: "flow"}, Time: historyStart, Value: 2.5, Unit: "m3/h", Quality: facility.Good,
	}}
	if err := q.Add(t.Context(), []history.Rejected{{Row: row, Why: "field type conflict, \"flow\""}}); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, "", "history", "refused", "--data", data).wants(t, done, "as pump-1/flow  field type conflict", "")
	r := run(t, "", "history", "refused", "--data", data, "--export", "--empty")
	r.wants(t, done, "2026-03-01T00:00:00.000Z,pump-1,flow,2.5,m3/h,good,,pump,,\"field type conflict", "1 removed")
	run(t, "", "history", "refused", "--data", data).wants(t, done, "0 held", "")

	// The cause is mended, and what was refused is brought in.
	site := siteWith(t, "127.0.0.1:1")
	run(t, r.out, "history", "import", "--config", site, "--data", data).wants(t, done, "", "1 readings taken, 0 refused, 0 lines wrong")
	run(t, "", "history", "export", "--config", site, "--data", data).wants(t, done, "flow=2.5 1772323200000", "")
}
