package hub_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"gengfu/facility"
)

// mortal is SQLite whose writing connections die at a chosen statement, as if the
// program were killed there: nothing is done after it.
type mortal struct {
	mu   sync.Mutex
	left int // statements until the end; below zero it does not come
	done int // statements that were begun
	dead bool
}

var errKilled = errors.New("killed")

// fate is the one that the driver "mortal" follows. Drivers are registered for good, so
// tests take turns with it.
var fate = func() *mortal {
	m := &mortal{left: -1}
	sql.Register("mortal", m)
	return m
}()

// after lets so many more statements pass; below zero all of them.
func (m *mortal) after(statements int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.done, m.dead = statements, 0, false
}

// step reports whether the next statement is carried out.
func (m *mortal) step() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	if m.left == 0 {
		m.dead = true
	}
	m.left--
	if m.dead {
		return errKilled
	}
	return nil
}

func (m *mortal) state() (done int, dead bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done, m.dead
}

func (m *mortal) Open(name string) (driver.Conn, error) {
	c, err := (&sqlite.Driver{}).Open(name)
	if err != nil || !strings.Contains(name, "_txlock=immediate") { // one that only reads
		return c, err
	}
	return &mortalConn{Conn: c, fate: m}, nil
}

type mortalConn struct {
	driver.Conn
	fate *mortal
}

func (c *mortalConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.fate.step(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *mortalConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.fate.step(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *mortalConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.fate.step(); err != nil {
		return nil, err
	}
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	return mortalTx{tx, c.fate}, err
}

type mortalTx struct {
	driver.Tx
	fate *mortal
}

// Commit may end before the transaction is durable, or behind it, when nobody hears of it
// any more.
func (t mortalTx) Commit() error {
	if err := t.fate.step(); err != nil {
		return errors.Join(err, t.Rollback())
	}
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	return t.fate.step()
}

// night is a story in steps, in which taps, rounds, alarms and orders are written. Facts
// are durable before they are judged; a person who is told that something failed does it
// again.
func night(h *house) []func(again bool) {
	pass := func() { h.pass(time.Second) }
	order := func(a facility.Act, by facility.Person) {
		for _, o := range h.orders() {
			if o.Device != "pump-1" || o.State != facility.OrderNew {
				continue
			}
			if _, err := h.act(by, o, a); err != nil && !errors.Is(err, errKilled) {
				h.t.Error(err)
			}
		}
	}
	once := func(do func()) func(bool) {
		return func(again bool) {
			if !again {
				do()
			}
		}
	}
	return []func(bool){
		once(func() { h.tell(h.bit(1)); pass() }),
		func(bool) { order(facility.Act{Action: facility.OrderAssign, Target: technician.Login}, desk) },
		once(func() { h.tell(h.bit(0)); pass() }),
		once(func() { h.tell(h.bit(1)); pass() }),
		once(func() { h.until(evening.Add(11 * time.Minute)); h.badge(h.now()); pass() }),
		once(func() { h.until(evening.Add(50 * time.Minute)) }),
		once(func() { h.phone("roof", evening.Add(20*time.Minute)); pass() }),
		once(func() { h.tell(h.bit(0)); pass() }),
	}
}

// quieted is a story in which people hold an alarm, let go of it and end its order. Who is
// told that something failed looks whether it is done.
func quieted(h *house) []func(again bool) {
	tolerant := func(err error) {
		if err != nil && !errors.Is(err, errKilled) && !errors.Is(err, facility.ErrUnlawful) {
			h.t.Error(err)
		}
	}
	held := func(kind facility.AlarmState) bool {
		all, err := h.ledger.AlarmHolds(h.t.Context())
		h.must(err)
		return slices.ContainsFunc(all, func(a facility.AlarmHold) bool { return a.Kind == kind })
	}
	act := func(from facility.OrderState, by facility.Person, a facility.Act) func(bool) {
		return func(bool) {
			h.pass(time.Second)
			for _, o := range h.orders() {
				if o.Device == "pump-1" && o.State == from {
					_, err := h.act(by, o, a)
					tolerant(err)
				}
			}
		}
	}
	return []func(bool){
		func(again bool) {
			if !again {
				h.tell(h.bit(1))
				h.pass(time.Second)
			}
		},
		act(facility.OrderNew, desk, facility.Act{Action: facility.OrderAssign, Target: technician.Login}),
		act(facility.OrderAssigned, technician, facility.Act{Action: facility.OrderAccept}),
		act(facility.OrderAccepted, technician, facility.Act{Action: facility.OrderArrive}),
		func(bool) {
			if !held(facility.AlarmOutOfService) {
				tolerant(h.takeOut(technician, h.fault().OrderID))
			}
		},
		act(facility.OrderArrived, technician, facility.Act{Action: facility.OrderComplete, Note: "换了保险"}),
		act(facility.OrderCompleted, desk, facility.Act{Action: facility.OrderVerify}),
		act(facility.OrderVerified, desk, facility.Act{Action: facility.OrderClose}), // the fault is there: the order comes back
		func(bool) {
			until := h.now().Add(time.Hour)
			if !held(facility.AlarmShelved) {
				_, err := h.hub.HoldAlarm(h.t.Context(), desk, facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: "r", Until: &until})
				tolerant(err)
			}
		},
		func(bool) { h.pass(time.Second); tolerant(h.release(desk, facility.AlarmShelved)) },
	}
}

// account is what the ledger holds in the end, without the names and times that differ.
func (h *house) account() string {
	var lines []string
	for _, a := range h.alarms() {
		lines = append(lines, fmt.Sprintf("alarm %s %s %d: %s", a.Key, a.State, a.Count, h.course(a)))
	}
	for _, o := range h.orders() {
		lines = append(lines, fmt.Sprintf("order %s %s %d: %s", o.Title.EN, o.State, o.Count, h.story(o)))
	}
	if course := h.holdCourse(); course != "" {
		lines = append(lines, fmt.Sprintf("held %d: %s", len(h.agreed()), course))
	}
	lines = append(lines, verdicts(h.round()))
	taps, err := h.ledger.Taps(h.t.Context(), evening.Add(-time.Hour), evening.Add(3*time.Hour))
	h.must(err)
	for _, tap := range taps {
		lines = append(lines, fmt.Sprintf("tap %s %s %v %v", tap.Checkpoint, tap.Person, tap.Round != "", tap.Flags))
	}
	return strings.Join(lines, "\n")
}

// live plays a story with an end of the program after so many statements of the
// ledger; below zero there is none. It returns what the ledger holds in the end.
func live(t *testing.T, story func(h *house) []func(again bool), statements int) (account string, began int) {
	inHouse(t, func(t *testing.T, h *house) {
		h.stop()
		h.driver = "mortal"
		fate.after(-1)
		h.start()
		fate.after(statements)
		defer fate.after(-1)
		for _, step := range story(h) {
			step(false)
			if done, dead := fate.state(); dead {
				h.stop()
				fate.after(-1)
				began = done
				h.start()
				step(true)
				h.pass(2 * time.Minute) // until rounds are judged again
			}
		}
		h.pass(time.Minute)
		if began == 0 {
			began, _ = fate.state()
		}
		account = h.account()
	})
	return account, began
}

// TestKilledBetweenAnyTwoStatements: what follows from a fact, and that the fact was
// judged, are in the ledger together or not at all.
func TestKilledBetweenAnyTwoStatements(t *testing.T) {
	for name, story := range map[string]func(h *house) []func(again bool){"a night": night, "what holds an alarm": quieted} {
		t.Run(name, func(t *testing.T) {
			want, all := live(t, story, -1)
			t.Logf("%d statements, and in the end:\n%s", all, want)
			step := 1
			if testing.Short() {
				step = 13
			}
			for n := 0; n < all; n += step {
				if got, _ := live(t, story, n); got != want {
					t.Errorf("killed after %d statements the ledger holds\n%s\nwant\n%s", n, got, want)
				}
			}
		})
	}
}
