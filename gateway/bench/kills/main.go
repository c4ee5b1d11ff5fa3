// Command kills kills a hub again and again with SIGKILL, at any moment, while alarms
// come and go, and then counts: every occurrence must be on its alarm and in the history
// exactly once, at the time and in the state in which an engine that was never killed has
// it; on the one work order of its key exactly once too, but for what came before people
// were told, which may be one to them; and what a person was told is done must be done.
//
// The hub has its journal, ledger and history on disk. A kill of a process loses nothing
// that the operating system took: what a loss of power does is for the tests of journal
// and ledger.
//
// It prints one line for each figure; package figure says how they look. The exit status
// is 1 when anything was lost or doubled.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"gengfu/gateway/bench/figure"
)

// worldVariable names the environment variable that makes this program the hub that is
// killed, with its folder; lastVariable says that it is the last one and ends by itself.
const (
	worldVariable = "GENGFU_KILLS_WORLD"
	lastVariable  = "GENGFU_KILLS_LAST"
)

func main() {
	if code, was := asHub(); was {
		os.Exit(code)
	}
	kills := flag.Int("kills", 1000, "how many")
	worlds := flag.Int("worlds", 4, "hubs that are killed side by side, each with its own disk")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "when they are killed")
	flag.Parse()
	if err := run(*kills, *worlds, *seed, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kills:", err)
		os.Exit(1)
	}
}

// asHub is the hub, where the environment says so.
func asHub() (code int, was bool) {
	dir := os.Getenv(worldVariable)
	if dir == "" {
		return 0, false
	}
	go func() { // whoever started it is no more
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	if err := work(context.Background(), dir, os.Getenv(lastVariable) != "", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		return 1, true
	}
	return 0, true
}

// errWrong is returned when something was lost or doubled; run has said what.
var errWrong = errors.New("not every occurrence was counted once")

func run(kills, worlds int, seed uint64, out io.Writer) error {
	dir, err := os.MkdirTemp("", "gengfu-kills-")
	if err != nil {
		return err
	}
	begun := time.Now()
	sums := make([]sum, worlds)
	errs := make([]error, worlds)
	var all sync.WaitGroup
	for n := range worlds {
		all.Go(func() {
			share := kills / worlds
			if n < kills%worlds {
				share++
			}
			w := world{dir: filepath.Join(dir, fmt.Sprint(n)), seed: seed + uint64(n)}
			if errs[n] = w.live(share); errs[n] == nil {
				sums[n], errs[n] = w.count(context.Background())
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("seed %d, what is left is in %s: %w", seed, dir, err)
	}
	var total sum
	for _, s := range sums {
		total.add(s)
	}
	fmt.Fprintf(out, "Kills: %d (%d of them before the hub was ready) in %s, load average %s, %d processors; %d facts, %d occurrences and ends of %d alarms, %d acknowledged, on %d orders; seed %d\n",
		total.kills, total.early, time.Since(begun).Round(time.Second), figure.Load(), runtime.NumCPU(), total.facts, total.changes, total.alarms, total.acknowledged, total.orders, seed)
	for _, w := range total.wrong {
		fmt.Fprintln(out, "  "+w)
	}
	figures := []figure.Figure{
		figure.AtLeast("kills", float64(total.kills), "times", float64(kills), 0, "SIGKILL at random moments"),
		figure.AtMost("kills_lost", float64(total.lost), "times", 0, 0, "occurrences, ends, orders' counts, acknowledgements and readings"),
		figure.AtMost("kills_doubled", float64(total.doubled), "times", 0, 0, "of them"),
	}
	if err := figure.Table(out, figures); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := figure.Lines(out, figures); err != nil {
		return err
	}
	if total.lost+total.doubled > 0 {
		fmt.Fprintln(out, "what is left is in", dir)
		return errWrong
	}
	return os.RemoveAll(dir)
}
