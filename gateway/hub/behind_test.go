package hub_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/hub"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
	"gengfu/rules"
	"gengfu/rules/discipline"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// behindFolder names the environment variable that makes the test binary the child of
// TestAHubThatIsBehind, with its folder.
const behindFolder = "GENGFU_HUB_BEHIND"

// stuck is a history that takes nothing until it is released.
type stuck struct {
	history.Store
	released chan struct{}
	taken    atomic.Int64
}

func (s *stuck) Write(ctx context.Context, rows []history.Row) error {
	select {
	case <-s.released:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := s.Store.Write(ctx, rows)
	if err == nil {
		s.taken.Add(int64(len(rows)))
	}
	return err
}

// workBehind runs broker, intake and hub whose history and ledger are stuck until a line
// comes in, and ends with the next. It prints the broker's URL, and at the end how many
// readings the history took and how often the judge counted the fault.
func workBehind(dir string) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := estate()
	e.Plans = nil
	path := filepath.Join(dir, "ledger.db")
	l, err := ledger.Open(ctx, path, ledger.Options{Site: e.Site})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(dir, "history.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Cursors: hub.Cursors, MaxBytes: 16 << 20})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	b, err := broker.Embed(broker.EmbeddedOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	engine, problems := rules.Compile(pumpRules()[:1], e)
	if len(problems) > 0 {
		return problems[0]
	}
	behind := &stuck{Store: store, released: make(chan struct{})}
	h := hub.New(hub.Options{
		Estate: e, Rules: engine, Ledger: l, History: behind, Journal: j,
		Quiet: func() bool { return true }, Logger: slog.New(slog.DiscardHandler), Discipline: discipline.Settings{Group: -1, Withhold: -1},
	})
	in, err := intake.New(intake.Options{Root: "r", Site: e.Site.ID, URL: b.URL(), Journal: j, Ahead: h.Ahead})
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- h.Run(ctx) }()
	go func() { ended <- in.Run(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(h.Ready()) > 0 {
		<-tick.C
	}
	unlock, err := lockLedger(ctx, path)
	if err != nil {
		return err
	}
	fmt.Println(b.URL())
	commands := bufio.NewReader(os.Stdin)
	if _, err := commands.ReadString('\n'); err != nil {
		return errors.Join(err, unlock())
	}
	if err := unlock(); err != nil {
		return err
	}
	close(behind.released)
	if _, err := commands.ReadString('\n'); err != nil {
		return err
	}
	for j.Cursor("judge") < j.Last() || j.Cursor("history") < j.Last() {
		<-tick.C
	}
	alarms, err := l.Alarms(ctx, facility.AlarmFilter{})
	if err != nil || len(alarms) != 1 {
		return fmt.Errorf("%d alarms, %w", len(alarms), err)
	}
	fmt.Println(behind.taken.Load(), alarms[0].Count)
	cancel()
	return errors.Join(<-ended, <-ended)
}

// lockLedger keeps anybody from writing the ledger.
func lockLedger(ctx context.Context, path string) (unlock func() error, err error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err == nil {
		_, err = c.ExecContext(ctx, "BEGIN IMMEDIATE")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() error { return errors.Join(c.Close(), db.Close()) }, nil
}

// rss is how much memory a process has, in bytes.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestAHubThatIsBehind: with a history and a ledger that are stuck the hub's journal
// fills, its gateway waits, and memory stays as it is. Then everything is there once.
func TestAHubThatIsBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const (
		batches, each = 1600, 500 // of samples: 46 MB, three times what the hub's journal holds
		faults        = 4000      // changes of the fault bit, each a decision
		most          = 64 << 20  // that the memory may grow
	)
	dir := t.TempDir()
	child, in, out := startChildAs(t, behindFolder+"="+dir)
	url, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	began := rss(t, child.Process.Pid)
	journals := map[facility.Stream]*journal.Journal{}
	for _, s := range []facility.Stream{facility.Urgent, facility.Telemetry} {
		j, err := journal.Open(filepath.Join(dir, string(s)), journal.Options{Cursors: []string{uplink.Cursor}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}()
		journals[s] = j
	}
	up, err := uplink.New(uplink.Options{
		Site: "garden", Gateway: "gw1", Root: "r", URL: strings.TrimSpace(url), Streams: journals,
		ResendAfter: 500 * time.Millisecond, MinPause: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	samples := func(n int) (rs []facility.Reading) {
		for i := range each {
			at := noon.Add(time.Duration(n*each+i) * time.Millisecond)
			rs = append(rs, facility.Reading{Point: pressure, Time: at, Value: float64(i), Unit: "bar", Quality: facility.Good})
		}
		return rs
	}
	fill(t, journals[facility.Telemetry], batches, samples)
	fill(t, journals[facility.Urgent], faults, func(n int) []facility.Reading {
		return []facility.Reading{{Point: fault, Time: noon.Add(time.Duration(n) * time.Second), Value: float64((n + 1) % 2), Quality: facility.Good}}
	})
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- up.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}()

	grown := int64(0)
	watch := func(what string, done func() bool) {
		t.Helper()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(patience); !done(); <-tick.C {
			if grown = max(grown, rss(t, child.Process.Pid)-began); time.Now().After(deadline) {
				t.Fatalf("never: %s; %+v", what, up.Stats())
			}
		}
	}
	acknowledged := func() (n uint64) {
		for _, j := range journals {
			n += j.Cursor(uplink.Cursor)
		}
		return n
	}
	last, since := uint64(0), time.Now()
	watch("the hub takes no more", func() bool {
		if n := acknowledged(); n != last || n == 0 {
			last, since = n, time.Now()
		}
		return time.Since(since) > 5*time.Second
	})
	left := journals[facility.Telemetry].Stats().Records
	if left < batches/2 {
		t.Errorf("only %d of %d batches wait at the gateway", left, batches)
	}
	t.Logf("%d batches wait; the hub's memory grew by %d MB from %d MB", left, grown>>20, began>>20)
	if grown > most && !raceDetector {
		t.Errorf("behind, the hub's memory grew by %d MB", grown>>20)
	}

	say(t, in)
	watch("all is acknowledged", func() bool {
		return journals[facility.Telemetry].Stats().Records+journals[facility.Urgent].Stats().Records == 0
	})
	say(t, in)
	var taken, counted int
	if _, err := fmt.Fscan(out, &taken, &counted); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if taken != batches*each+faults || counted != faults/2 {
		t.Errorf("the history took %d readings, want %d; the fault is counted %d times, want %d", taken, batches*each+faults, counted, faults/2)
	}
	t.Logf("in all it grew by %d MB", grown>>20)
	if grown > 2*most && !raceDetector { // the backlog is worked off at full speed
		t.Errorf("the hub's memory grew by %d MB", grown>>20)
	}
}

func fill(t *testing.T, j *journal.Journal, records int, make func(n int) []facility.Reading) {
	t.Helper()
	var all [][]byte
	for n := range records {
		body, err := payload.AppendReadings(nil, make(n))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	if _, err := j.Append(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
}
