package influx_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/influx"
	"gengfu/storage/history/influxtest"
)

var begin = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func point(quantity string) facility.Point {
	return facility.Point{ID: facility.PointID{Device: "pump-1", Quantity: quantity}, Unit: "bar"}
}

func row(quantity string, second int, value float64) history.Row {
	return history.Row{
		Reading: facility.Reading{
			Point: point(quantity).ID, Time: begin.Add(time.Duration(second) * time.Second), Value: value, Unit: "bar", Quality: facility.Good,
		},
		Kind: "pump", Place: "pump-room",
	}
}

// TestServer is what only a server brings: refusals, wrong access, moved devices.
func TestServer(t *testing.T) {
	url, token, bucket := influxtest.Start(t)
	options := influx.Options{URL: url, Org: "estate", Bucket: bucket, Token: token, Site: "here"}
	t.Run("rows that the server refuses", func(t *testing.T) { refusedByServer(t, options) })
	t.Run("no access", func(t *testing.T) { noAccess(t, options) })
	t.Run("a device that moved", func(t *testing.T) { moved(t, open(t, options)) })
	t.Run("two sites", func(t *testing.T) {
		other := options
		other.Site = "there"
		twoSites(t, open(t, options), open(t, other))
	})
	t.Run("a first reading that comes while it is asked for", func(t *testing.T) { firstWhileAsked(t, open(t, options)) })
}

// The server looks at the rows once for each of count, mean and so on, so a bucket
// may get its first reading between two of them. It is then there whole or not yet.
func firstWhileAsked(t *testing.T, s *influx.Store) {
	var asking, writing sync.WaitGroup
	defer writing.Wait()
	for i := range 150 {
		first := row("pressure", 0, 3)
		first.Point.Device = fmt.Sprint("new-", i)
		ctx, asked := context.WithCancel(t.Context())
		asking.Go(func() {
			defer asked()
			for n := 0; ; n++ {
				if n == 1 {
					asked()
				}
				got, err := s.Query(t.Context(), facility.Point{ID: first.Point}, "pump", begin, begin.Add(time.Hour), time.Hour)
				want := facility.Bucket{Start: begin, Count: 1, Mean: 3, Min: 3, Max: 3, First: 3, Last: 3}
				switch {
				case err != nil:
					t.Errorf("query: %v", err)
					return
				case n > 0 && len(got) == 1 && got[0] == want:
					return
				case len(got) > 0:
					t.Errorf("query: %+v", got)
					return
				}
			}
		})
		<-ctx.Done()
		writing.Go(func() {
			if err := s.Write(t.Context(), []history.Row{first}); err != nil {
				t.Errorf("write: %v", err)
			}
		})
		asking.Wait()
	}
}

// A field that somebody made text takes no numbers. The rows around it, also
// those on the same line, must be stored, and exactly the others named.
func refusedByServer(t *testing.T, o influx.Options) {
	ctx := t.Context()
	const conflicting = "wrong"
	foreignWrite(t, o, fmt.Sprintf(`pump,device=pump-1,site=elsewhere %s="text" %d`, conflicting, begin.UnixMilli()))
	s := open(t, o)
	var rows []history.Row
	for i := range 300 {
		rows = append(rows, row("flow", i, float64(i)), row("pressure", i, float64(i)))
		if i%97 == 5 {
			rows = append(rows, row(conflicting, i, 1))
		}
	}
	err := s.Write(ctx, rows)
	var rejected *history.RejectedError
	if !errors.As(err, &rejected) {
		t.Fatalf("write: %v, want a RejectedError", err)
	}
	var seconds []int
	for _, r := range rejected.Rows {
		if r.Row.Point.Quantity != conflicting || !strings.Contains(r.Why, "conflict") {
			t.Errorf("refused: %+v", r)
		}
		seconds = append(seconds, int(r.Row.Time.Sub(begin)/time.Second))
	}
	if want := []int{5, 102, 199, 296}; !slices.Equal(seconds, want) {
		t.Errorf("refused the rows of %v, want %v", seconds, want)
	}
	for _, q := range []string{"flow", "pressure"} {
		got, err := s.Readings(ctx, point(q), "pump", begin, begin.Add(time.Hour))
		if err != nil || len(got) != 300 {
			t.Errorf("%d readings of %s, want 300 (%v)", len(got), q, err)
		}
	}
	if st := s.Stats(); st.Rejected != 4 || st.Stored != 600 {
		t.Errorf("stats: %+v", st)
	}

	// When all rows are refused, the server is not asked about each of them.
	var all []history.Row
	for i := range 1000 {
		all = append(all, row(conflicting, i, 1))
	}
	if err := s.Write(ctx, all); !errors.As(err, &rejected) || len(rejected.Rows) != 1000 {
		t.Errorf("write: %v, want 1000 rows refused", err)
	}
}

// foreignWrite writes a line as another program would.
func foreignWrite(t *testing.T, o influx.Options, line string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.URL+"/api/v2/write?precision=ms&bucket="+o.Bucket, strings.NewReader(line))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+o.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("write %q: %s, %v", line, resp.Status, err)
	}
}

func noAccess(t *testing.T, o influx.Options) {
	wrongToken, noBucket := o, o
	wrongToken.Token = "nobody:nothing"
	noBucket.Bucket = "nowhere/autogen"
	for name, o := range map[string]influx.Options{"wrong token": wrongToken, "no such bucket": noBucket} {
		s := open(t, o)
		var configuration *history.ConfigurationError
		if err := s.Write(t.Context(), []history.Row{row("flow", 0, 1)}); !errors.As(err, &configuration) {
			t.Errorf("%s: write: %v, want a ConfigurationError", name, err)
		}
		if _, err := s.Query(t.Context(), point("flow"), "pump", begin, begin.Add(time.Hour), time.Minute); err == nil {
			t.Errorf("%s: query without an error", name)
		}
		if st := s.Stats(); st.Failures != 1 || st.Error == "" || !st.LastWrite.IsZero() {
			t.Errorf("%s: stats: %+v", name, st)
		}
	}
}

// The place is a tag, so that a device that moves begins new series.
func moved(t *testing.T, s *influx.Store) {
	rows := []history.Row{row("speed", 0, 1), row("speed", 10, 2), row("speed", 20, 3), row("speed", 30, 4)}
	rows[1].Place, rows[3].Place = "attic", ""
	if err := s.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	got, err := s.Query(t.Context(), point("speed"), "pump", begin, begin.Add(time.Minute), time.Minute)
	want := facility.Bucket{Start: begin, Count: 4, Mean: 2.5, Min: 1, Max: 4, First: 1, Last: 4}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("query: %+v, %v, want %+v", got, err, want)
	}
	devices := []facility.Device{{ID: "pump-1", Kind: "pump", Points: []facility.Point{point("speed")}}}
	latest, err := s.Latest(t.Context(), devices, begin.Add(time.Minute))
	if r := latest[point("speed").ID]; err != nil || r.Value != 4 {
		t.Errorf("latest: %+v, %v, want 4", r, err)
	}
}

func twoSites(t *testing.T, here, there *influx.Store) {
	for value, s := range map[float64]*influx.Store{1: here, 2: there} {
		if err := s.Write(t.Context(), []history.Row{row("level", 0, value)}); err != nil {
			t.Fatal(err)
		}
	}
	for value, s := range map[float64]*influx.Store{1: here, 2: there} {
		got, err := s.Readings(t.Context(), point("level"), "pump", begin, begin.Add(time.Hour))
		if err != nil || len(got) != 1 || got[0].Value != value {
			t.Errorf("readings: %+v, %v, want %v", got, err, value)
		}
	}
}

// BenchmarkYear draws a year of one point that is read each ten seconds.
func BenchmarkYear(b *testing.B) {
	url, token, bucket := influxtest.Start(b)
	s := open(b, influx.Options{URL: url, Bucket: bucket, Token: token, Site: "here"})
	const year = 365 * 24 * time.Hour
	rows := make([]history.Row, 0, 100_000)
	for i := range int(year / (10 * time.Second)) {
		rows = append(rows, row("pressure", i*10, 3+math.Round(100*math.Sin(float64(i)))/100))
		if len(rows) == cap(rows) {
			if err := s.Write(b.Context(), rows); err != nil {
				b.Fatal(err)
			}
			rows = rows[:0]
		}
	}
	for name, span := range map[string]time.Duration{"day": 24 * time.Hour, "month": 30 * 24 * time.Hour, "year": year} {
		b.Run(fmt.Sprint(name, " in 1000 steps"), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Query(b.Context(), point("pressure"), "pump", begin, begin.Add(span), span/1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
