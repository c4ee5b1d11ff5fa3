package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of backtests: each reads as much of the history as there is of its devices, and
// keeps a processor busy that also judges.
const (
	trialsAtOnce = 2 // of all people; of one person one
	trialTimeout = 15 * time.Minute
	trialBeat    = 500 * time.Millisecond // how often is told how far it is, and noticed that nobody listens
	trialRetry   = 10 * time.Second       // when to ask again where there are too many
)

// trials are the backtests that are under way. They end when the server stops.
type trials struct {
	ctx     context.Context // of all of them: they outlive the requests' own
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	people  map[string]struct{} // who has one, by login
	stopped bool
}

func newTrials() *trials {
	t := &trials{people: map[string]struct{}{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// enter lets a person begin one, and returns what must be called at its end.
func (t *trials) enter(login string) (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, has := t.people[login]
	switch {
	case t.stopped:
		return nil, fail("unavailable")
	case has:
		return nil, tooManyTrials("backtest_yours")
	case len(t.people) >= trialsAtOnce:
		return nil, tooManyTrials("backtest_busy")
	}
	t.people[login] = struct{}{}
	t.running.Add(1)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.people, login)
		t.running.Done()
	}, nil
}

func tooManyTrials(sentence string) *problem {
	p := failWith("too_many", sentence, nil)
	p.retryAfter = trialRetry
	return p
}

// stop ends all of them and waits until they have.
func (t *trials) stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.cancel()
	t.running.Wait()
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

// run carries it out and tells how far it is, a line each time, and last what came of it.
// When nobody listens any more it ends.
func (t *trial) run(ctx context.Context) {
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
