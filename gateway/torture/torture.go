package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"gengfu/gateway/bench/figure"
)

// plan is how much is done.
type plan struct {
	rounds, perWorld, parallel int
	span                       time.Duration
	seed                       uint64
	only                       string
	report, keep               string
	slow                       bool
}

// settings returns the ways in which worlds are put together, as often as they are
// used; starting influxd takes seconds of the processor.
func (p programs) settings() []setting {
	all := []setting{{}, {}}
	if p.mosquitto != "" {
		all = append(all, setting{Mosquitto: true}, setting{Mosquitto: true})
	}
	if p.influxd != "" {
		all = append(all, setting{InfluxDB: true})
	}
	if p.mosquitto != "" && p.influxd != "" {
		all = append(all, setting{Mosquitto: true, InfluxDB: true})
	}
	return all
}

// report is everything that a run found.
type report struct {
	Seed    uint64
	Began   time.Time
	Ended   time.Time
	Skipped []string // what this machine has not, or does not allow
	Rounds  []round
}

// torture plays all rounds and tells what came of them.
func torture(ctx context.Context, p programs, pl plan, out io.Writer) error {
	rep := report{Seed: pl.seed, Began: time.Now().UTC(), Skipped: p.missing()}
	fmt.Fprintf(out, "seed %d\n", pl.seed)
	for _, s := range rep.Skipped {
		fmt.Fprintln(out, "skipped:", s)
	}
	var mu sync.Mutex
	worlds := make(chan uint64)
	var running sync.WaitGroup
	for range pl.parallel {
		running.Go(func() {
			for n := range worlds {
				playWorld(ctx, p, pl, n, func(r round) {
					mu.Lock()
					defer mu.Unlock()
					rep.Rounds = append(rep.Rounds, r)
					if !r.well() || len(rep.Rounds)%50 == 0 {
						r.print(out, len(rep.Rounds))
					}
				})
			}
		})
	}
	count := (pl.rounds + pl.perWorld - 1) / pl.perWorld
	for n := range count {
		select {
		case worlds <- uint64(n):
		case <-ctx.Done():
		}
	}
	close(worlds)
	running.Wait()
	rep.Ended = time.Now().UTC()
	return rep.tell(out, pl.report)
}

func (p programs) missing() (out []string) {
	if p.mosquitto == "" {
		out = append(out, "no Mosquitto here")
	}
	if p.influxd == "" {
		out = append(out, "no influxd here")
	}
	dir, err := os.MkdirTemp("", "gengfu-torture-")
	if err != nil {
		return append(out, err.Error())
	}
	defer os.RemoveAll(dir)
	if err := mountDisk(dir); err != nil {
		return append(out, fmt.Sprintf("full and read-only disks: a small file system cannot be mounted (%v)", err))
	}
	if err := unmountDisk(dir); err != nil {
		out = append(out, err.Error())
	}
	return out
}

// playWorld plays the rounds of one world. One that failed is left, with its files
// kept; the rounds that are left are played in a new one.
func playWorld(ctx context.Context, p programs, pl plan, n uint64, tell func(round)) {
	settings := p.settings()
	s := settings[n%uint64(len(settings))]
	for played := 0; played < pl.perWorld && ctx.Err() == nil; {
		seed := pl.seed + n*1000 + uint64(played)
		if !playSome(ctx, p, pl, s, seed, &played, tell) {
			played++
		}
	}
}

func playSome(ctx context.Context, p programs, pl plan, s setting, seed uint64, played *int, tell func(round)) (whole bool) {
	dir, err := os.MkdirTemp("", "gengfu-torture-")
	if err != nil {
		tell(round{World: seed, Trouble: err.Error()})
		return false
	}
	w, err := newWorld(ctx, p, s, dir, seed)
	if err != nil {
		tell(round{World: seed, Setting: s.String(), Trouble: err.Error()})
		return false
	}
	w.only = pl.only
	whole = true
	for ; *played < pl.perWorld && whole && ctx.Err() == nil; *played++ {
		r := w.play(ctx, pl.span, pl.slow)
		if ctx.Err() != nil {
			break
		}
		r.World, r.Number = seed, *played
		if whole = r.well(); !whole {
			r.Kept = w.preserve(pl.keep, r)
		}
		tell(r)
	}
	if !whole {
		*played--
	}
	if err := errors.Join(w.end(), os.RemoveAll(dir)); err != nil && ctx.Err() == nil {
		tell(round{World: seed, Setting: s.String(), Trouble: err.Error()})
	}
	return whole
}

// preserve keeps the files of a world that failed, and the round's verdict with them.
func (w *world) preserve(folder string, r round) string {
	to := filepath.Join(folder, fmt.Sprintf("torture-%d-%d", r.World, r.Number))
	err := os.RemoveAll(to)
	err = errors.Join(err, os.CopyFS(to, os.DirFS(w.dir)))
	if text, jsonErr := json.MarshalIndent(r, "", " "); jsonErr == nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(to, "round.json"), text, 0o600))
	}
	if err != nil {
		return fmt.Sprintf("%s, not whole: %v", to, err)
	}
	return to
}

func (r round) print(out io.Writer, n int) {
	fmt.Fprintf(out, "%4d world %d round %d: %s: %v: made %d, arrived %d, in %.1f s", n, r.World, r.Number, r.Setting, r.Faults, r.Made, r.Arrived, r.Seconds)
	if !r.well() {
		found := r.faults()
		fmt.Fprintf(out, " FAILED %s %d: %q, kept in %s", r.Trouble, len(found), found[:min(len(found), 5)], r.Kept)
	}
	fmt.Fprintln(out)
}

// tell writes the report, a table by fault, and the figures.
func (rep *report) tell(out io.Writer, path string) error {
	if path != "" {
		text, err := json.MarshalIndent(rep, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	type row struct {
		rounds, failed int
		recover        []float64
	}
	rows := map[string]*row{}
	wrong, unjudged, made, arrived, refused, unfinished := 0, 0, 0, 0, 0, 0
	excused := map[string]int{}
	worlds := map[uint64]round{} // the last round that was judged; counts go from the world's begin
	for _, r := range rep.Rounds {
		wrong += len(r.faults())
		if r.Trouble != "" {
			unjudged++
		} else if last, ok := worlds[r.World]; !ok || r.Number > last.Number {
			worlds[r.World] = r
		}
		for _, f := range r.Faults {
			if rows[f] == nil {
				rows[f] = &row{}
			}
			rows[f].rounds++
			rows[f].recover = append(rows[f].recover, r.Recover)
			if !r.well() {
				rows[f].failed++
			}
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "fault\trounds\tfailed\tall there after, median\tat most")
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		r := rows[name]
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f s\t%.1f s\n", name, r.rounds, r.failed, figure.Quantile(r.recover, 0.5), slices.Max(r.recover))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range worlds {
		made, arrived, unfinished = made+r.Made, arrived+r.Arrived, unfinished+r.Unfinished
		for why, n := range r.Excused {
			excused[why] += n
		}
		for _, n := range r.Refused {
			refused += n
		}
	}
	fmt.Fprintf(out, "\n%d facts made in %d worlds: %d arrived; %d were not yet durable when the edge was killed; %d were refused, and told\n",
		made, len(worlds), arrived, unfinished, refused)
	for _, why := range slices.Sorted(maps.Keys(excused)) {
		fmt.Fprintf(out, "%d were lost, and counted, because %s\n", excused[why], why)
	}
	err := figure.Lines(out, []figure.Figure{
		figure.AtLeast("torture_rounds", float64(len(rep.Rounds)-unjudged), "rounds", 1000, 0, ""),
		figure.AtMost("torture_lost", float64(wrong), "facts", 0, 0, "lost, doubled or changed"),
	})
	if wrong > 0 || unjudged > 0 {
		err = errors.Join(err, fmt.Errorf("%d facts lost, doubled or changed; %d rounds could not be judged", wrong, unjudged))
	}
	return err
}
