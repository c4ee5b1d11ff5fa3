package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of backtests: each reads as much of the history as there is of its devices, and
// keeps a processor busy that also judges.
const (
	trialsAtOnce = 2 // of all people; of one person one
	trialsOfOne  = 2 // with one that waits
	trialTimeout = 15 * time.Minute
	trialBeat    = 500 * time.Millisecond // how often is told how far it is, and noticed that nobody listens
	trialRetry   = 10 * time.Second       // when to ask again where there are too many
)

// trials are the backtests that are under way, and those that wait. They end when the
// server stops.
type trials struct {
	ctx    context.Context // of all of them: they outlive the requests' own
	cancel context.CancelFunc
	open   sync.WaitGroup // those that run and those that wait

	mu      sync.Mutex
	running []*turn
	waiting []*turn // the first comes next
	stopped bool
}

// turn is the place of one backtest among all.
type turn struct {
	login string
	comes chan struct{} // closed when it may begin
}

func newTrials() *trials {
	t := &trials{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// enter has a backtest of a person wait for its turn; leave must be called at its end.
func (t *trials) enter(login string) (*turn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := 0
	for _, x := range slices.Concat(t.running, t.waiting) {
		if x.login == login {
			mine++
		}
	}
	switch {
	case t.stopped:
		return nil, fail("unavailable")
	case mine >= trialsOfOne:
		p := failWith("too_many", "backtest_yours", nil)
		p.retryAfter = trialRetry
		return nil, p
	}
	x := &turn{login: login, comes: make(chan struct{})}
	t.waiting = append(t.waiting, x)
	t.open.Add(1)
	t.admit()
	return x, nil
}

// admit lets begin who may. The lock is held.
func (t *trials) admit() {
	for i := 0; i < len(t.waiting) && len(t.running) < trialsAtOnce; {
		x := t.waiting[i]
		if slices.ContainsFunc(t.running, func(y *turn) bool { return y.login == x.login }) {
			i++ // their last one ends first
			continue
		}
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.running = append(t.running, x)
		close(x.comes)
	}
}

// leave makes room for the next.
func (t *trials) leave(x *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	its := func(y *turn) bool { return y == x }
	t.waiting, t.running = slices.DeleteFunc(t.waiting, its), slices.DeleteFunc(t.running, its)
	t.admit()
	t.open.Done()
}

// place is how many come before it, with itself; 0 when it has begun.
func (t *trials) place(x *turn) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Index(t.waiting, x) + 1
}

// stop ends all of them and waits until they have.
func (t *trials) stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.cancel()
	t.open.Wait()
}

// trial is one backtest and whom it is told to.
type trial struct {
	ask  BacktestAsk
	book RuleBook
	conn net.Conn
	w    *bufio.Writer
	log  *slog.Logger
	done atomic.Uint64 // bits of a number from 0 to 1
}

// run waits for its turn, carries it out and tells how far it is, a line each time, and
// last what came of it. When nobody listens any more it ends.
func (t *trial) run(all *trials, x *turn) {
	defer all.leave(x)
	if t.wait(all, x) {
		t.carryOut(all.ctx)
	}
}

// wait reports whether its turn has come: else nobody listens, or all of them end.
func (t *trial) wait(all *trials, x *turn) bool {
	beat := time.NewTicker(trialBeat)
	defer beat.Stop()
	for {
		if place := all.place(x); place > 0 && !t.tell(trialLine{Place: place}) {
			return false
		}
		select {
		case <-x.comes:
			return true
		case <-all.ctx.Done():
			t.tell(trialLine{Error: fail("unavailable").body()})
			return false
		case <-beat.C:
		}
	}
}

func (t *trial) carryOut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	last := make(chan trialLine, 1)
	var worker sync.WaitGroup
	defer worker.Wait()
	defer cancel()
	worker.Go(func() { last <- t.work(ctx) })
	beat := time.NewTicker(trialBeat)
	defer beat.Stop()
	for {
		select {
		case line := <-last:
			t.tell(line)
			return
		case <-beat.C:
			if done := math.Float64frombits(t.done.Load()); !t.tell(trialLine{Progress: &done}) {
				return
			}
		}
	}
}

// trialLine is one line of the answer; one of its fields is set.
type trialLine struct {
	Place    int        `json:"place,omitempty"` // of those that wait, from 1: it comes next
	Progress *float64   `json:"progress,omitempty"`
	Result   any        `json:"result,omitempty"`
	Error    *errorBody `json:"error,omitempty"`
}

// work returns the last line.
func (t *trial) work(ctx context.Context) (line trialLine) {
	var result any
	var err error
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, stack())
		}
		if err == nil {
			line = trialLine{Result: result}
			return
		}
		p, known := asProblem(err)
		if !known && ctx.Err() == nil {
			t.log.LogAttrs(ctx, slog.LevelError, "a backtest failed", slog.Any("error", err))
		}
		line = trialLine{Error: p.body()}
	}()
	result, err = t.book.Backtest(ctx, t.ask, func(done float64) { t.done.Store(math.Float64bits(done)) })
	return line
}

// tell sends a line and reports whether somebody takes it.
func (t *trial) tell(line trialLine) bool {
	data, err := json.Marshal(line)
	if err != nil {
		t.log.Error("the result of a backtest cannot be told", "error", err)
		data = []byte(`{"error":{"code":"internal"}}`)
	}
	return flush(t.conn, t.w, append(data, '\n'))
}
