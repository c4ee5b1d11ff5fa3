package embedded_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// meterRows are readings of meters as a poller makes them: every period, a few
// milliseconds late, a register of two decimals that grows with the day.
func meterRows(points, count int, period time.Duration) []history.Row {
	chance := rand.New(rand.NewPCG(1, 2))
	rows := make([]history.Row, 0, points*count)
	registers := make([]float64, points)
	for i := range count {
		at := begin.Add(time.Duration(i) * period)
		load := 1 + math.Sin(float64(at.Unix()%86400)/86400*2*math.Pi)
		for p := range points {
			registers[p] += load * period.Hours() * (0.5 + chance.Float64())
			rows = append(rows, history.Row{
				Reading: facility.Reading{
					Point:   facility.PointID{Device: fmt.Sprint("meter-", p), Quantity: "energy"},
					Time:    at.Add(time.Duration(chance.IntN(15)) * time.Millisecond),
					Value:   math.Round((1000*float64(p+1)+registers[p])*100) / 100,
					Unit:    "kWh",
					Quality: facility.Good,
				},
				Kind: "electricity_meter", Place: "basement",
			})
		}
	}
	return rows
}

func meterPoint(p int) facility.Point {
	return facility.Point{ID: facility.PointID{Device: fmt.Sprint("meter-", p), Quantity: "energy"}, Unit: "kWh"}
}

// BenchmarkBackfill writes 30 days of 60 points, one reading each ten minutes, as
// the start of a demonstration does: 259,200 readings.
func BenchmarkBackfill(b *testing.B) {
	rows := meterRows(60, 30*144, 10*time.Minute)
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "history.db")
		s := open(b, embedded.Options{Path: path})
		if err := s.Write(context.Background(), rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rows)*b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkWrite writes one reading of each of 60 points at a time, each durable
// before the next.
func BenchmarkWrite(b *testing.B) {
	rows := meterRows(60, 4000, 10*time.Second)
	s := open(b, embedded.Options{})
	i := 0
	for b.Loop() {
		if err := s.Write(context.Background(), rows[i*60:(i+1)*60]); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % 4000
	}
	b.ReportMetric(float64(60*b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkSize reports what a reading takes on the disk, by how often it is read;
// pages that are free for the log to use again do not count.
func BenchmarkSize(b *testing.B) {
	for _, period := range []time.Duration{10 * time.Second, time.Minute} {
		b.Run(period.String(), func(b *testing.B) {
			rows := meterRows(20, 20_000, period)
			used := 0
			for b.Loop() {
				path := filepath.Join(b.TempDir(), "history.db")
				s := open(b, embedded.Options{Path: path})
				if err := s.Write(context.Background(), rows); err != nil {
					b.Fatal(err)
				}
				used = usedBytes(b, path)
			}
			b.ReportMetric(float64(used)/float64(len(rows)), "B/reading")
		})
	}
}

func usedBytes(b testing.TB, path string) (bytes int) {
	b.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it only read
	err = db.QueryRow(`SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&bytes)
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}

// BenchmarkYear draws a year of one point that is read each ten seconds, in 1,000
// steps and in the hours that consumption is made of.
func BenchmarkYear(b *testing.B) {
	s := open(b, embedded.Options{})
	const year = 365 * 24 * time.Hour
	for month := range 12 {
		rows := meterRows(1, int(year/12/(10*time.Second)), 10*time.Second)
		for i := range rows {
			rows[i].Time = rows[i].Time.Add(time.Duration(month) * year / 12)
		}
		if err := s.Write(context.Background(), rows); err != nil {
			b.Fatal(err)
		}
	}
	for name, step := range map[string]time.Duration{"1000 steps": year / 1000, "hours": time.Hour} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				got, err := s.Query(context.Background(), meterPoint(0), "electricity_meter", begin, begin.Add(year), step)
				if err != nil {
					b.Fatal(err)
				}
				n = len(got)
			}
			b.ReportMetric(float64(n), "buckets")
		})
	}
}
