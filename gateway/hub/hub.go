// Package hub is the receiving half of the house: it takes facts out of its
// journal, keeps them in the history, has them judged, shows the estate as it is
// now, and does to work orders and alarms what people ask for. It reads no device
// and knows nothing of how a fact came here.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/rules/discipline"
	"gengfu/rules/patrol"
	"gengfu/storage/history"
	"gengfu/storage/ledger"
)

// Names of the hub's cursors in its journal and of its state in the ledger.
const (
	cursorJudge   = "judge"
	cursorHistory = "history"
	stateRules    = "rules"
)

// Names of the cursors, for those who count.
const (
	CursorJudge   = cursorJudge
	CursorHistory = cursorHistory
)

// Cursors are those that the hub's journal must be opened with.
var Cursors = []string{cursorJudge, cursorHistory}

// Options are what New needs. All but Book, SetAside, Now, Doubt and
// Discipline are required.
type Options struct {
	Estate  facility.Estate
	Rules   *rules.Engine
	Book    *Book // that Rules is the first of; nil has none, and no rules are changed
	Ledger  *ledger.Ledger
	History history.Store
	Journal *journal.Journal
	// TakeTaps makes taps durable in the journal.
	TakeTaps func(ctx context.Context, taps []facility.Tap) error
	// Quiet reports whether no tap can be on its way here: every gateway that is
	// known is connected and has sent what it held.
	Quiet func() bool
	// SetAside makes readings durable that the history refuses for good; nil lets
	// them go.
	SetAside func(ctx context.Context, refused []history.Rejected) error
	// Health returns the health page's data.
	Health func(ctx context.Context) any
	// Waiting returns what else, beside the hub, is not ready.
	Waiting func() []string
	Logger  *slog.Logger
	Now     func() time.Time // nil is time.Now
	// Doubt reports whether Now may be wrong by hours: then no round is judged. Nil never
	// does.
	Doubt func() bool
	// Discipline is when people are told of alarms, and how many persons answer them; zero
	// is the defaults.
	Discipline discipline.Settings
}

// Hub is the receiving half. Its methods may be called by many goroutines.
type Hub struct {
	*board
	o         Options
	follower  *follower
	judge     *judge
	historian *historian
	acting    chan struct{} // held while somebody acts on an order
	ready     atomic.Bool
}

var (
	_ dashboard.Desk    = (*Hub)(nil)
	_ dashboard.Holds   = (*Hub)(nil)
	_ dashboard.Live    = (*Hub)(nil)
	_ dashboard.Figures = (*Hub)(nil)
	_ dashboard.People  = (*ledger.Ledger)(nil)
	_ dashboard.Orders  = (*ledger.Ledger)(nil)
	_ dashboard.Watch   = (*ledger.Ledger)(nil)
	_ dashboard.History = history.Store(nil)

	_ dashboard.HoldRegister = (*ledger.Ledger)(nil)
)

// New makes a hub. Nothing runs until Run.
func New(o Options) *Hub {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Doubt == nil {
		o.Doubt = func() bool { return false }
	}
	devices := map[string]facility.Device{}
	for _, d := range o.Estate.Devices {
		devices[d.ID] = d
	}
	b := newBoard(o.Estate)
	f := &follower{journal: o.Journal, log: o.Logger}
	return &Hub{
		board:    b,
		o:        o,
		acting:   make(chan struct{}, 1),
		follower: f,
		judge: &judge{
			follower: f, site: o.Estate.Site, ledger: o.Ledger, engine: o.Rules, patrol: patrol.New(o.Estate),
			crowd: newCrowd(o.Estate, o.Discipline, o.Logger), board: b, quiet: o.Quiet, now: o.Now, doubt: o.Doubt,
			requests: make(chan request), urgent: make(chan fact, maxEarly), stopped: make(chan struct{}), mistimed: map[string]bool{},
		},
		historian: &historian{
			follower: f, store: o.History, setAside: o.SetAside, devices: devices, strange: map[string]bool{},
		},
	}
}

// Run takes up what was left and works until ctx ends. It returns when all of it
// has stopped; an error means that it could not begin. It may be called once.
func (h *Hub) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := h.o.Journal.Last()
	var judging error
	var owned sync.WaitGroup
	owned.Go(func() {
		defer cancel()
		judging = h.judging(ctx)
	})
	owned.Go(func() { h.historian.run(ctx) })
	owned.Go(func() { h.showing(ctx, end) })
	owned.Go(func() { h.recall(ctx) })
	owned.Wait()
	h.stop()
	return judging
}

// judging is ready from when the state is taken up until the end.
func (h *Hub) judging(ctx context.Context) error {
	if err := h.judge.restore(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // it was told to stop
		}
		return err
	}
	h.ready.Store(true)
	defer h.ready.Store(false)
	h.judge.run(ctx)
	return nil
}

// recall shows the last readings of before. A history that is slow or down holds
// up nothing: what is new is shown over what is recalled.
func (h *Hub) recall(ctx context.Context) {
	last, err := h.o.History.Latest(ctx, h.o.Estate.Devices, h.o.Now())
	switch {
	case err == nil:
		h.show(slices.Collect(maps.Values(last)))
	case ctx.Err() == nil:
		h.o.Logger.Warn("the last readings cannot be read; the pages fill as new ones come", "error", err)
	}
}

// Expect says what is in a record before it goes into the journal, so that it need not
// be decoded when it is read. It must be the same memory that the journal is given, and
// nothing of it may be changed afterwards.
func (h *Hub) Expect(record []byte, head payload.Header, readings []facility.Reading, taps []facility.Tap) {
	h.follower.shelf.expect(record, content{head, readings, taps})
}

// showing carries new readings to the board. It starts at the journal's end: what
// is older is history.
func (h *Hub) showing(ctx context.Context, end uint64) {
	h.follower.follow(ctx, end, func(f facts) bool {
		for _, item := range f.items {
			if len(item.readings) > 0 {
				h.show(item.readings)
			}
		}
		return true
	})
}

// Ready returns what the hub still waits for.
func (h *Hub) Ready() []string {
	waiting := []string{}
	if !h.ready.Load() {
		waiting = append(waiting, "hub")
	}
	if h.judge.figures.trouble.Load() != nil {
		waiting = append(waiting, "ledger")
	}
	if h.o.Waiting != nil {
		waiting = append(waiting, h.o.Waiting()...)
	}
	return waiting
}

// Health returns the health page's data.
func (h *Hub) Health(ctx context.Context) any { return h.o.Health(ctx) }

// TakeTaps makes taps of a phone durable; they are judged soon after.
func (h *Hub) TakeTaps(ctx context.Context, taps []facility.Tap) error {
	if err := h.o.TakeTaps(ctx, taps); err != nil {
		if ctx.Err() == nil {
			err = errors.Join(facility.ErrUnavailable, err)
		}
		return fmt.Errorf("keep %d taps: %w", len(taps), err)
	}
	return nil
}

// Consumer says how far one reader of the hub's journal has come.
type Consumer struct {
	Name     string `json:"name"`
	Position uint64 `json:"position"`
	Behind   uint64 `json:"behind"`
}

// Consumers are the readers of the hub's journal, for the health page.
func (h *Hub) Consumers() []Consumer {
	s := h.o.Journal.Stats()
	out := make([]Consumer, 0, len(Cursors))
	for _, name := range Cursors {
		c := Consumer{Name: name, Position: s.Cursors[name]}
		if s.Last > c.Position {
			c.Behind = s.Last - c.Position
		}
		out = append(out, c)
	}
	return out
}

// Judgement says how judging goes, for the health page. Counts are since the
// start.
type Judgement struct {
	SetAside  uint64 `json:"set_aside"` // decisions that the ledger refused
	Unwritten uint64 `json:"unwritten"` // decisions that the ledger cannot take now
	Late      uint64 `json:"late"`      // readings not newer than the last of their point
	Failed    uint64 `json:"failed"`    // conditions that failed on their values
	Mistimed  uint64 `json:"mistimed"`  // readings whose time could not be
	// RulesLeftOut are those that were made in the dashboard and fit the estate no longer.
	RulesLeftOut []string `json:"rules_left_out,omitempty"`
	// Learning are rules that do not judge all of their devices yet, as too little was seen.
	Learning []rules.Learning `json:"learning,omitempty"`

	Trouble string `json:"-"` // why the ledger cannot be written now; empty when it can

	LastWrite *time.Time `json:"-"` // to the ledger; nil for none since the start
}

// Judgement says how judging goes.
func (h *Hub) Judgement() Judgement {
	f := &h.judge.figures
	j := Judgement{SetAside: f.setAside.Load(), Unwritten: f.unwritten.Load(), Late: f.late.Load(), Failed: f.failed.Load(), Mistimed: f.mistimed.Load()}
	if trouble := f.trouble.Load(); trouble != nil {
		j.Trouble = *trouble
	}
	j.LastWrite = f.wrote.Load()
	if learning := f.learning.Load(); learning != nil {
		j.Learning = *learning
	}
	if h.o.Book != nil {
		j.RulesLeftOut = h.o.Book.LeftOut()
	}
	return j
}

// Strays is how many readings did not go into the history because they are of devices
// that the configuration does not have.
func (h *Hub) Strays() uint64 { return h.historian.strays.Load() }

// Aside is how many readings were set aside since the start: those that the history
// refused, and strays.
func (h *Hub) Aside() uint64 { return h.historian.aside.Load() }
