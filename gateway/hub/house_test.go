package hub_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/rules/discipline"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// evening is when every test begins: ten minutes before the night round.
var evening = time.Date(2026, 11, 22, 13, 50, 0, 0, time.UTC) // 21:50 in Shanghai

var (
	fault    = facility.PointID{Device: "pump-1", Quantity: "fault"}
	pressure = facility.PointID{Device: "pump-1", Quantity: "outlet_pressure"}

	desk       = facility.Person{Login: "li", Name: "李姐", Role: facility.RoleDesk}
	technician = facility.Person{Login: "zhang", Name: "张师傅", Role: facility.RoleTechnician}
	guard      = facility.Person{Login: "zhao", Name: "赵队", Role: facility.RoleGuard, Badges: []string{"04A035B2"}}
	viewer     = facility.Person{Login: "guest", Name: "访客", Role: facility.RoleViewer}
)

func estate() facility.Estate {
	text := func(zh, en string) facility.Text { return facility.Text{ZH: zh, EN: en} }
	return facility.Estate{
		Site: facility.Site{ID: "garden", Name: text("花园", "Garden"), Zone: time.FixedZone("UTC+8", 8*3600)},
		Devices: []facility.Device{{
			ID: "pump-1", Name: text("1号泵", "Pump 1"), Kind: "pump",
			Points: []facility.Point{
				{ID: fault, Kind: facility.Signal},
				{ID: pressure, Kind: facility.Measure, Unit: "bar"},
			},
		}},
		Readers:     []facility.Reader{{ID: "reader-gate", Checkpoint: "gate"}},
		Checkpoints: []facility.Checkpoint{{ID: "gate", Name: text("东门", "Gate")}, {ID: "roof", Name: text("屋顶", "Roof")}},
		Routes:      []facility.Route{{ID: "night", Checkpoints: []string{"gate", "roof"}}},
		Plans: []facility.Plan{{
			ID: "night", Name: text("夜巡", "Night patrol"), Route: "night", Times: []string{"22:00"},
			Window: 30 * time.Minute, Tolerance: 5 * time.Minute, Grace: 30 * time.Minute,
		}},
	}
}

func pumpRules() []rules.Rule {
	return []rules.Rule{
		{
			ID: "pump-fault", Name: facility.Text{ZH: "故障", EN: "fault"}, Priority: facility.P2,
			For: rules.Selector{Kinds: []string{"pump"}}, When: "fault == 1",
		},
		{
			ID: "low-pressure", Name: facility.Text{ZH: "压力低", EN: "low pressure"}, Priority: facility.P3,
			For: rules.Selector{Kinds: []string{"pump"}}, When: "outlet_pressure < 2", Clear: "outlet_pressure > 2.5", OnDelay: 30 * time.Second,
		},
	}
}

// house is a hub on real files, within a synctest bubble: its clock stands still
// while anything is busy, and moves only when the test lets time pass.
type house struct {
	t      *testing.T
	dir    string
	offset time.Duration // from the bubble's clock to the house's
	rules  []rules.Rule
	learn  rules.Detectors // nil learns nothing
	quiet  atomic.Bool
	seq    uint64 // of the gateway's last batch
	log    *slog.Logger
	watch  func(history.Store) history.Store // between hub and history; nil is nothing
	aside  func(context.Context, []history.Rejected) error
	crowd  discipline.Settings
	site   func() facility.Estate
	driver string // of the ledger; empty is SQLite's

	hub     *hub.Hub
	book    *hub.Book
	ledger  *ledger.Ledger
	history history.Store
	journal *journal.Journal
	cancel  context.CancelFunc
	ended   chan error
}

// inHouse runs a test in a new house.
func inHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	dir := t.TempDir()
	blank, err := blankLedger()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ledger.db"), blank, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := &house{
			t: t, dir: dir, rules: pumpRules(), offset: time.Until(evening),
			log: slog.New(slog.NewTextHandler(t.Output(), nil)),
			// Nothing waits for others unless the test is about that.
			crowd: discipline.Settings{Group: -1, Withhold: -1}, site: estate,
		}
		h.quiet.Store(true)
		h.start()
		for _, p := range []facility.Person{desk, technician, guard, viewer} {
			h.must(h.ledger.CreatePerson(t.Context(), p, "no hash"))
		}
		defer func() {
			if h.hub != nil {
				h.stop()
			}
		}()
		test(t, h)
	})
}

// blankLedger is a ledger in which nothing has happened yet. To make one takes all its
// migrations, and hundreds of houses begin with one.
var blankLedger = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "ledger.db")
	l, err := ledger.Open(context.Background(), path, ledger.Options{Site: estate().Site})
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // made above
})

func (h *house) now() time.Time { return time.Now().Add(h.offset) }

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) start() {
	h.t.Helper()
	var err error
	e := h.site()
	h.ledger, err = ledger.Open(h.t.Context(), filepath.Join(h.dir, "ledger.db"), ledger.Options{Site: e.Site, Driver: h.driver, Now: h.now})
	h.must(err)
	h.history, err = embedded.Open(h.t.Context(), embedded.Options{Path: filepath.Join(h.dir, "history.db"), Now: h.now})
	h.must(err)
	if h.watch != nil {
		h.history = h.watch(h.history)
	}
	h.journal, err = journal.Open(filepath.Join(h.dir, "journal.db"), journal.Options{Cursors: hub.Cursors, Now: h.now})
	h.must(err)
	h.book, err = hub.OpenBook(h.t.Context(), h.bookOf(e))
	h.must(err)
	h.hub = hub.New(hub.Options{
		Estate: e, Rules: h.book.Engine(), Book: h.book, Ledger: h.ledger, History: h.history, Journal: h.journal, Now: h.now, Logger: h.log,
		TakeTaps: func(ctx context.Context, taps []facility.Tap) error { return h.takeTaps(ctx, taps) },
		Quiet:    func() bool { return h.quiet.Load() },
		SetAside: h.aside, Discipline: h.crowd,
	})
	ctx, cancel := context.WithCancel(h.t.Context())
	h.cancel, h.ended = cancel, make(chan error, 1)
	go func() { h.ended <- h.hub.Run(ctx) }()
	synctest.Wait()
}

// bookOf is the rule book of an estate: the house's rules are those of files.
func (h *house) bookOf(e facility.Estate) hub.BookOptions {
	var files []hub.RuleOfFile
	for _, r := range h.rules {
		files = append(files, hub.RuleOfFile{Rule: r, File: "rules/pump.yaml", Source: "# " + r.ID + " of the file\n"})
	}
	return hub.BookOptions{
		Estate: e, Files: files, Options: []rules.Option{rules.WithDetectors(h.learn)}, Ledger: h.ledger, Logger: h.log, Now: h.now,
		Parse: func(source string) (rules.Rule, []dashboard.RuleProblem) {
			var out []dashboard.RuleProblem
			r, report := (&config.Config{Estate: e}).ParseRule(source)
			for _, f := range report {
				out = append(out, dashboard.RuleMistake(f.Path, f.Line, f.Column, f.What, f.Cure))
			}
			return r, out
		},
	}
}

// stop ends the house as a program's end does.
func (h *house) stop() {
	h.t.Helper()
	h.cancel()
	if err := <-h.ended; err != nil {
		h.t.Errorf("the hub ended with %v", err)
	}
	h.close()
}

func (h *house) close() {
	h.t.Helper()
	h.must(h.journal.Close())
	h.must(h.history.Close())
	h.must(h.ledger.Close())
	h.hub = nil
}

func (h *house) restart() {
	h.t.Helper()
	h.stop()
	h.start()
}

// crash goes on with the files as they are on the disk now, as after a power cut.
func (h *house) crash() {
	h.t.Helper()
	synctest.Wait()
	left := h.t.TempDir()
	h.must(filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "-shm") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(left, d.Name()), data, 0o600)
	}))
	h.stop()
	h.dir = left
	h.start()
}

// pass lets time pass until everything that is due in it has happened.
func (h *house) pass(d time.Duration) {
	<-time.After(d) // of the bubble's clock
	synctest.Wait()
}

// until lets time pass up to an instant.
func (h *house) until(at time.Time) { h.pass(at.Sub(h.now())) }

func (h *house) head(seq uint64) payload.Header {
	return payload.Header{Site: "garden", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e", Seq: seq, Received: h.now()}
}

func (h *house) append(body []byte) {
	h.t.Helper()
	h.seq++
	h.appendAs(h.seq, body)
}

func (h *house) appendAs(seq uint64, body []byte) {
	h.t.Helper()
	head := h.head(seq)
	_, err := h.journal.Append(h.t.Context(), payload.Wrap(head, body))
	h.must(err)
}

// tell puts readings into the journal as the intake does.
func (h *house) tell(readings ...facility.Reading) {
	h.t.Helper()
	body, err := payload.AppendReadings(nil, readings)
	h.must(err)
	h.append(body)
	synctest.Wait()
}

func (h *house) takeTaps(ctx context.Context, taps []facility.Tap) error {
	head := payload.Header{Site: "garden", Gateway: "hub", Stream: facility.Urgent, Epoch: "e", Received: h.now()}
	for _, tap := range taps {
		if _, err := h.journal.Append(ctx, payload.Wrap(head, payload.AppendTap(nil, tap))); err != nil {
			return err
		}
	}
	return nil
}

// badge lets the guard's badge be read at the gate, at an instant.
func (h *house) badge(at time.Time) facility.Tap {
	h.t.Helper()
	tap := facility.Tap{
		ID: uuid.Must(uuid.NewV7()).String(), Source: facility.TapReader, Reader: "reader-gate",
		Credential: guard.Badges[0], TappedAt: at.UTC(),
	}
	h.append(payload.AppendTap(nil, tap))
	synctest.Wait()
	return tap
}

// phone lets the guard's phone bring a tap at a checkpoint.
func (h *house) phone(checkpoint string, at time.Time) {
	h.t.Helper()
	h.must(h.hub.TakeTaps(h.t.Context(), []facility.Tap{{
		ID: uuid.Must(uuid.NewV7()).String(), Source: facility.TapURL, Checkpoint: checkpoint, Person: guard.Login,
		TappedAt: at.UTC(), SentAt: h.now().UTC(), ReceivedAt: h.now().UTC(),
	}}))
	synctest.Wait()
}

// bit is a reading of the pump's fault bit, now.
func (h *house) bit(v float64) facility.Reading {
	return facility.Reading{Point: fault, Time: h.now().UTC(), Value: v, Quality: facility.Good}
}

func (h *house) bar(v float64) facility.Reading {
	return facility.Reading{Point: pressure, Time: h.now().UTC(), Value: v, Unit: "bar", Quality: facility.Good}
}

func (h *house) alarms() []facility.Alarm {
	h.t.Helper()
	all, err := h.ledger.Alarms(h.t.Context(), facility.AlarmFilter{})
	h.must(err)
	return all
}

func (h *house) orders() []facility.Order {
	h.t.Helper()
	all, err := h.ledger.Orders(h.t.Context(), facility.OrderFilter{})
	h.must(err)
	return all
}

// alarm is the only alarm that there is.
func (h *house) alarm() facility.Alarm {
	h.t.Helper()
	all := h.alarms()
	if len(all) != 1 {
		h.t.Fatalf("want one alarm, got %d: %+v", len(all), all)
	}
	return all[0]
}

// order is the only order that there is.
func (h *house) order() facility.Order {
	h.t.Helper()
	all := h.orders()
	if len(all) != 1 {
		h.t.Fatalf("want one order, got %d: %+v", len(all), all)
	}
	return all[0]
}

// story is what happened to an order, in words.
func (h *house) story(o facility.Order) string {
	h.t.Helper()
	events, err := h.ledger.OrderEvents(h.t.Context(), o.ID)
	h.must(err)
	var words []string
	for _, e := range events {
		words = append(words, string(e.Action))
	}
	return strings.Join(words, " ")
}

// course is what happened to an alarm, in words.
func (h *house) course(a facility.Alarm) string {
	h.t.Helper()
	events, err := h.ledger.AlarmEvents(h.t.Context(), a.ID)
	h.must(err)
	var words []string
	for _, e := range events {
		words = append(words, string(e.Event))
	}
	return strings.Join(words, " ")
}

func (h *house) act(by facility.Person, o facility.Order, a facility.Act) (facility.Order, error) {
	return h.hub.ActOnOrder(h.t.Context(), by, o.ID, a, nil)
}

// round is the night round of the evening.
func (h *house) round() facility.Round {
	h.t.Helper()
	rounds, err := h.ledger.Rounds(h.t.Context(), evening, evening.Add(time.Hour))
	h.must(err)
	if len(rounds) != 1 {
		h.t.Fatalf("want one round, got %+v", rounds)
	}
	return rounds[0]
}

func verdicts(r facility.Round) string {
	var words []string
	for _, v := range r.Visits {
		words = append(words, fmt.Sprintf("%s:%s", v.Checkpoint, v.Verdict))
	}
	return string(r.State) + " " + strings.Join(words, " ")
}

// kept collects what a subscriber was told.
type kept struct {
	mu     sync.Mutex
	events []dashboard.Event
	done   chan struct{}
}

func keep(events <-chan dashboard.Event) *kept {
	k := &kept{done: make(chan struct{})}
	go func() {
		defer close(k.done)
		for e := range events {
			k.mu.Lock()
			k.events = append(k.events, e)
			k.mu.Unlock()
		}
	}()
	return k
}

func (k *kept) all() []dashboard.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]dashboard.Event(nil), k.events...)
}
