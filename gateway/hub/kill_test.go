package hub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/facility"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/rules/discipline"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// killFolder and killLast name the environment variables that make the test
// binary the child of TestKilled: the folder, and whether it ends by itself.
const (
	killFolder = "GENGFU_HUB_KILL"
	killLast   = "GENGFU_HUB_KILL_LAST"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killFolder); dir != "" {
		if err := workUntilKilled(dir, os.Getenv(killLast) != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(holdFolder); dir != "" {
		fmt.Fprintln(os.Stderr, holdUntilKilled(dir, os.Getenv(holdRun)))
		os.Exit(1) // it is killed, or failed
	}
	if dir := os.Getenv(behindFolder); dir != "" {
		if err := workBehind(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// workUntilKilled runs a hub and appends facts to its journal: the one with the
// sequence n says that the fault bit is n%2, n minutes after noon. So what there
// is at the end is known, however often it began anew. It prints a line when the
// hub works, and the last time ends after some more facts and prints how many
// there are in all.
func workUntilKilled(dir string, last bool) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := estate()
	e.Plans = nil
	l, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Site: e.Site})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(dir, "history.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Cursors: hub.Cursors})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	engine, problems := rules.Compile(pumpRules()[:1], e)
	if len(problems) > 0 {
		return problems[0]
	}
	h := hub.New(hub.Options{
		Estate: e, Rules: engine, Ledger: l, History: store, Journal: j,
		Quiet: func() bool { return true }, Logger: slog.New(slog.DiscardHandler), Discipline: discipline.Settings{Group: -1, Withhold: -1},
	})
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(h.Ready()) > 0 {
		<-tick.C
	}
	fmt.Println("it works")
	facts := (j.Last()/2 + 10) * 2
	for !last || j.Last() < facts {
		if err := appendFact(ctx, j); err != nil {
			return err
		}
	}
	for j.Cursor("judge") < facts || j.Cursor("history") < facts {
		<-tick.C
	}
	fmt.Println(facts)
	cancel()
	return <-ended
}

func appendFact(ctx context.Context, j *journal.Journal) error {
	n := j.Last() + 1
	r := facility.Reading{Point: fault, Time: noon.Add(time.Duration(n) * time.Minute), Value: float64(n % 2), Quality: facility.Good}
	body, err := payload.AppendReadings(nil, []facility.Reading{r})
	if err != nil {
		return err
	}
	head := payload.Header{Site: "garden", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e", Seq: n}
	_, err = j.Append(ctx, payload.Wrap(head, body))
	return err
}

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// TestKilled kills a working hub again and again, at any moment. In the end every
// occurrence of the fault is counted exactly once, on one alarm and one order.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	dir := t.TempDir()
	for range 8 {
		child, out := startChild(t, dir, "")
		expect(t, out, "it works")
		after := time.NewTimer(rand.N(300 * time.Millisecond))
		<-after.C
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
	}
	child, out := startChild(t, dir, "yes")
	expect(t, out, "it works")
	facts := 0
	if _, err := fmt.Fscan(out, &facts); err != nil {
		t.Fatalf("the last one says nothing: %v", err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d facts", facts)

	l, err := ledger.Open(t.Context(), filepath.Join(dir, "ledger.db"), ledger.Options{Site: estate().Site})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	alarms, err := l.Alarms(t.Context(), facility.AlarmFilter{})
	if err != nil || len(alarms) != 1 {
		t.Fatalf("%d alarms, %v", len(alarms), err)
	}
	orders, err := l.Orders(t.Context(), facility.OrderFilter{})
	if err != nil || len(orders) != 1 {
		t.Fatalf("%d orders, %v", len(orders), err)
	}
	a, o := alarms[0], orders[0]
	if a.Count != facts/2 || o.Count != facts/2 || a.OrderID != o.ID || a.State != facility.AlarmReturned {
		t.Errorf("alarm %s counted %d times, order %d times, want %d", a.State, a.Count, o.Count, facts/2)
	}
	countAlarmEvents(t, l, a, map[facility.AlarmEvent]int{
		facility.AlarmRaise: 1, facility.AlarmRecur: facts/2 - 1, facility.AlarmClear: facts / 2,
	})
	// The order counted each, and its history tells of them once an hour, which is every
	// thirtieth, and that each of those returned.
	lines := (facts/2 - 1) / 30
	countOrderEvents(t, l, o, map[facility.OrderAction]int{
		facility.OrderCreate: 1, facility.OrderRecur: lines, facility.OrderComment: 1 + lines,
	})
	if told := toldTimes(t, l, o); told != 30*lines || o.Noted != 1+told {
		t.Errorf("the order's history tells of %d occurrences after the first, and the order says %d; want %d", told, o.Noted-1, 30*lines)
	}
	countStored(t, filepath.Join(dir, "history.db"), facts)
}

func startChild(t *testing.T, dir, last string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd, _, out := startChildAs(t, killFolder+"="+dir, killLast+"="+last)
	return cmd, out
}

// startChildAs starts the test binary with an environment of its own.
func startChildAs(t *testing.T, env ...string) (*exec.Cmd, io.Writer, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, bufio.NewReader(out)
}

// say lets a child go on.
func say(t *testing.T, child io.Writer) {
	t.Helper()
	if _, err := fmt.Fprintln(child); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, out *bufio.Reader, want string) {
	t.Helper()
	got, err := out.ReadString('\n')
	if err != nil || strings.TrimSpace(got) != want {
		t.Fatalf("the hub says %q, %v", got, err)
	}
}

func countAlarmEvents(t *testing.T, l *ledger.Ledger, a facility.Alarm, want map[facility.AlarmEvent]int) {
	t.Helper()
	events, err := l.AlarmEvents(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[facility.AlarmEvent]int{}
	for _, e := range events {
		got[e.Event]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the alarm's history has %v, want %v", got, want)
	}
}

// toldTimes is how often the fault came again by the lines of the order's history.
func toldTimes(t *testing.T, l *ledger.Ledger, o facility.Order) (times int) {
	t.Helper()
	events, err := l.OrderEvents(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		times += e.Times
	}
	return times
}

func countOrderEvents(t *testing.T, l *ledger.Ledger, o facility.Order, want map[facility.OrderAction]int) {
	t.Helper()
	events, err := l.OrderEvents(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[facility.OrderAction]int{}
	for _, e := range events {
		got[e.Action]++
	}
	maps.DeleteFunc(want, func(_ facility.OrderAction, n int) bool { return n == 0 })
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the order's history has %v, want %v", got, want)
	}
}

func countStored(t *testing.T, path string, want int) {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := store.Readings(t.Context(), facility.Point{ID: fault}, "pump", noon, noon.AddDate(0, 1, 0))
	if err != nil || len(rs) != want {
		t.Errorf("the history holds %d readings, want %d (%v)", len(rs), want, err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
