package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/config"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
)

const (
	together = 500 // readings in a batch: what the collector puts in one
	writers  = 8   // that append at the same time
)

// measureJournal appends batches from several writers, each of which waits until
// its own is durable: what is to be seen is that they share their waits.
func measureJournal(ctx context.Context, dir string, p plan, out io.Writer) (figures []figure.Figure, err error) {
	cfg, err := site{dir: dir}.configure(config.EmbeddedEngine)
	if err != nil {
		return nil, err
	}
	body, err := batch(cfg)
	if err != nil {
		return nil, err
	}
	fsync, err := bareAppend(filepath.Join(dir, "bare"), body)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Append to the journal, batches of %d readings, %d bytes; a bare write with fsync of as much takes %s\n", together, len(body), fsync.Round(time.Microsecond))
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{MaxBytes: 256 << 20, Evict: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	each := p.append / together / writers
	began := time.Now()
	var all sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		all.Go(func() {
			for range each {
				if _, errs[w] = j.Append(ctx, body); errs[w] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	rate := float64(each*writers*together) / time.Since(began).Seconds()
	note := fmt.Sprintf("%d writers, each waits until its batch of %d readings is durable", writers, together)
	return []figure.Figure{figure.AtLeast("journal_append", rate, "readings/s", 200_000, 0, note)}, errors.Join(errs...)
}

// batch is one record as the collector makes it.
func batch(cfg *config.Config) ([]byte, error) {
	s := newSource(cfg, time.Now().UTC(), time.Second)
	var readings []facility.Reading
	for len(readings) < together {
		readings = append(readings, s.read()...)
	}
	return payload.AppendReadings(nil, readings[:together])
}

// bareAppend returns how long one write with its fsync takes.
func bareAppend(path string, body []byte) (each time.Duration, err error) {
	f, err := os.Create(path) //nolint:gosec // it is ours
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const times = 50
	began := time.Now()
	for range times {
		if _, err := f.Write(body); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / times, nil
}

// measureHistory weighs a reading in the embedded history and draws a year.
func measureHistory(ctx context.Context, dir string, p plan, out io.Writer) ([]figure.Figure, error) {
	weight, err := weighReading(ctx, filepath.Join(dir, "weight.db"), p)
	if err != nil {
		return nil, err
	}
	took, samples, err := drawYear(ctx, filepath.Join(dir, "year.db"), p)
	if err != nil {
		return nil, err
	}
	median := figure.Quantile(took, 0.5)
	fmt.Fprintf(out, "A year of one point, %d samples, to %d steps: median %.1f ms, longest %.1f ms\n", samples, yearSteps, median, figure.Quantile(took, 1))
	return []figure.Figure{
		figure.AtMost("history_bytes", weight, "bytes/reading", 4, 2, "the file, its log and its index, after it was closed"),
		figure.AtMost("history_year", median, "ms", 50, 1, fmt.Sprintf("median of %d, %d samples to %d steps", len(took), samples, yearSteps)),
	}, nil
}

// registers are the rows of meters of which each is read every ten seconds, a few
// milliseconds late: a register of two decimals that grows with the day.
type registers struct {
	chance *rand.Rand
	begin  time.Time
	values []float64
}

const registerPeriod = 10 * time.Second

func newRegisters(points int) *registers {
	r := &registers{chance: rand.New(rand.NewPCG(3, 4)), begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), values: make([]float64, points)} //nolint:gosec // it must be repeatable
	for i := range r.values {
		r.values[i] = 1000 * float64(i+1)
	}
	return r
}

func meterOf(p int) facility.PointID {
	return facility.PointID{Device: fmt.Sprint("meter-", p), Quantity: "energy"}
}

func (r *registers) round(i int, rows []history.Row) []history.Row {
	at := r.begin.Add(time.Duration(i) * registerPeriod)
	load := 1 + math.Sin(float64(at.Unix()%86400)/86400*2*math.Pi)
	for p := range r.values {
		r.values[p] += load * registerPeriod.Hours() * (0.5 + r.chance.Float64())
		rows = append(rows, history.Row{
			Kind: "electricity_meter", Place: "basement",
			Reading: facility.Reading{
				Point: meterOf(p), Time: at.Add(time.Duration(r.chance.IntN(15)) * time.Millisecond),
				Value: math.Round(100*r.values[p]) / 100, Unit: "kWh", Quality: facility.Good,
			},
		})
	}
	return rows
}

// weighReading returns the bytes that a reading takes on the disk.
func weighReading(ctx context.Context, path string, p plan) (float64, error) {
	const points = 20
	s, err := embedded.Open(ctx, embedded.Options{Path: path})
	if err != nil {
		return 0, err
	}
	r, written := newRegisters(points), 0
	for i := 0; written < p.meters; {
		var rows []history.Row
		for ; len(rows) < 2000; i++ {
			rows = r.round(i, rows)
		}
		if err := s.Write(ctx, rows); err != nil {
			return 0, errors.Join(err, s.Close())
		}
		written += len(rows)
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	size := 0.0
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err == nil {
			size += float64(info.Size())
		}
	}
	return size / float64(written), nil
}

const yearSteps = 1000

func drawYear(ctx context.Context, path string, p plan) (took []float64, samples int, err error) {
	s, err := embedded.Open(ctx, embedded.Options{Path: path})
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r := newRegisters(1)
	samples = int(p.year / registerPeriod)
	rows := make([]history.Row, 0, 50_000)
	for i := range samples {
		if rows = r.round(i, rows); len(rows) == cap(rows) || i == samples-1 {
			if err := s.Write(ctx, rows); err != nil {
				return nil, 0, err
			}
			rows = rows[:0]
		}
	}
	point := facility.Point{ID: meterOf(0), Unit: "kWh"}
	for range 20 {
		began := time.Now()
		got, err := s.Query(ctx, point, "electricity_meter", r.begin, r.begin.Add(p.year), p.year/yearSteps)
		if err != nil {
			return nil, 0, err
		}
		took = append(took, float64(time.Since(began))/float64(time.Millisecond))
		if len(got) < yearSteps-1 {
			return nil, 0, fmt.Errorf("the year has %d steps", len(got))
		}
	}
	return took, samples, nil
}
