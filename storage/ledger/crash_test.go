package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gengfu/facility"
	"gengfu/storage/ledger"
)

// crashFile names the environment variable that makes the test binary the child
// of TestCrash, with the ledger's path in it.
const crashFile = "GENGFU_LEDGER_CRASH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		if err := writeUntilKilled(path, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled makes orders with all that belongs to them, one transaction
// after the other, and says the number of each after it was confirmed.
func writeUntilKilled(path string, out io.Writer) error {
	l, err := ledger.Open(context.Background(), path, ledger.Options{})
	if err != nil {
		return err
	}
	var seq uint64
	err = l.View(context.Background(), func(tx *ledger.Tx) (err error) {
		seq, err = tx.Cursor("crash")
		return err
	})
	if err != nil {
		return err
	}
	for {
		seq++
		err := l.Update(context.Background(), func(tx *ledger.Tx) error { return crashStep(tx, seq) })
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, seq); err != nil {
			return err
		}
	}
}

func crashStep(tx *ledger.Tx, seq uint64) error {
	name := fmt.Sprint("step-", seq)
	o := newOrder()
	o.ID, o.Key = name, name
	if err := tx.InsertOrder(&o, facility.OrderEvent{}); err != nil {
		return err
	}
	e, err := o.Do(facility.Person{Login: "desk", Role: facility.RoleDesk}, facility.Act{Action: facility.OrderPhoto, Photo: name}, noon)
	if err != nil {
		return err
	}
	photo := facility.Photo{ID: name, Type: "image/jpeg", Data: make([]byte, 100_000), By: "desk", At: noon}
	if err := tx.SaveOrder(o, e, &photo); err != nil {
		return err
	}
	a := newAlarm(name, name)
	a.OrderID = o.ID
	if err := tx.SaveAlarm(a); err != nil {
		return err
	}
	if _, err := tx.InsertTap(facility.JudgedTap{Tap: facility.Tap{ID: name, Source: facility.TapQR, TappedAt: noon}}); err != nil {
		return err
	}
	if err := tx.Audit(facility.AuditEntry{ID: name, At: noon, Actor: "desk", Action: "order.create"}); err != nil {
		return err
	}
	return tx.SetCursor("crash", seq)
}

// A process that is killed at any moment loses nothing that was confirmed and
// leaves no transaction half done.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	staff(t, open(t, path))
	var confirmed uint64
	for kill := range 6 {
		confirmed = runAndKill(t, path, confirmed+uint64(3+5*kill))
		l := open(t, path)
		var seq uint64
		if err := l.View(t.Context(), func(tx *ledger.Tx) (err error) {
			seq, err = tx.Cursor("crash")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if seq < confirmed {
			t.Fatalf("%d was confirmed, %d is there", confirmed, seq)
		}
		checkSteps(t, l, seq)
	}
}

// runAndKill runs the child until it has confirmed the step given, kills it, and
// returns the last step that it confirmed.
func runAndKill(t *testing.T, path string, until uint64) uint64 {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe) // this very test
	child.Env = append(os.Environ(), crashFile+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var last uint64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if last, err = strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err != nil {
			t.Fatal(err)
		}
		if last == until {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the child was not killed but ended: %v", err)
	}
	if last < until {
		t.Fatalf("the child confirmed %d, not %d", last, until)
	}
	return last
}

func checkSteps(t *testing.T, l *ledger.Ledger, last uint64) {
	t.Helper()
	totals, err := l.OrderTotals(t.Context(), noon)
	if err != nil || uint64(totals.Open) != last {
		t.Fatalf("%d orders, %v; want %d", totals.Open, err, last)
	}
	for seq := uint64(1); seq <= last+1; seq++ {
		name := fmt.Sprint("step-", seq)
		_, order := l.Order(t.Context(), name)
		_, alarm := l.Alarm(t.Context(), name)
		_, photo := l.Photo(t.Context(), name)
		events, err := l.OrderEvents(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		whole := order == nil && alarm == nil && photo == nil && len(events) == 2
		none := errors.Is(order, facility.ErrNotFound) && errors.Is(alarm, facility.ErrNotFound) &&
			errors.Is(photo, facility.ErrNotFound) && len(events) == 0
		if seq <= last && !whole || seq > last && !none {
			t.Errorf("step %d of %d: order %v, alarm %v, photo %v, %d events", seq, last, order, alarm, photo, len(events))
		}
	}
	o, err := l.Order(t.Context(), fmt.Sprint("step-", last))
	if want := fmt.Sprintf("20261122-%04d", last); err != nil || o.No != want {
		t.Errorf("the last order has number %s, %v; want %s", o.No, err, want)
	}
}

// Many write and read at once, through two ledgers on one file as by two
// processes: every number is given once, every act counts once.
func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgers := []*ledger.Ledger{open(t, path), open(t, path)}
	staff(t, ledgers[0])
	shared := newOrder()
	shared.Key = "shared"
	shared = insert(t, ledgers[0], shared)

	const writers, each = 6, 10
	numbers := make(chan string, writers*each)
	errs := make(chan error, 2*writers)
	stop := make(chan struct{})
	var writing, reading sync.WaitGroup
	for w := range writers {
		l := ledgers[w%2]
		writing.Go(func() { errs <- writeMany(t.Context(), l, shared.ID, each, numbers) })
		if w < len(ledgers) {
			reading.Go(func() { errs <- readUntil(t.Context(), l, shared.ID, stop) })
		}
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	close(numbers)
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	seen := map[string]bool{shared.No: true}
	for no := range numbers {
		if seen[no] {
			t.Errorf("number %s was given twice", no)
		}
		seen[no] = true
	}
	for i := 1; i <= writers*each+1; i++ {
		if no := fmt.Sprintf("20261122-%04d", i); !seen[no] {
			t.Errorf("number %s was left out", no)
		}
	}
	o, err := ledgers[1].Order(t.Context(), shared.ID)
	if err != nil || o.Count != 1+writers*each || o.Version != 1+writers*each {
		t.Errorf("%d occurrences at version %d, %v; want %d", o.Count, o.Version, err, 1+writers*each)
	}
}

func writeMany(ctx context.Context, l *ledger.Ledger, shared string, n int, numbers chan<- string) error {
	for range n {
		o := newOrder()
		err := l.Update(ctx, func(tx *ledger.Tx) error {
			if err := tx.InsertOrder(&o, facility.OrderEvent{}); err != nil {
				return err
			}
			s, err := tx.Order(shared)
			if err != nil {
				return err
			}
			e, err := s.DoSystem(facility.Act{Action: facility.OrderRecur}, noon)
			if err != nil {
				return err
			}
			return tx.SaveOrder(s, e, nil)
		})
		if err != nil {
			return err
		}
		numbers <- o.No
	}
	return nil
}

// readUntil reads while others write: an order and its history are of one moment.
func readUntil(ctx context.Context, l *ledger.Ledger, id string, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		err := l.View(ctx, func(tx *ledger.Tx) error {
			o, err := tx.Order(id)
			if err != nil {
				return err
			}
			events, err := tx.OrderEvents(id)
			if err == nil && len(events) != o.Version {
				err = fmt.Errorf("version %d with %d events", o.Version, len(events))
			}
			return err
		})
		if err != nil {
			return err
		}
		if _, err := l.Orders(ctx, facility.OrderFilter{Open: true, Page: facility.Page{Limit: 5}}); err != nil {
			return err
		}
	}
}
