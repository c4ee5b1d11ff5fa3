package hub

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

const (
	// settle is how long a reading may be on its way from the field to the judge:
	// what time alone brings about is judged this much later, so that a reading
	// made before an instant is heard before the instant is judged.
	settle = 500 * time.Millisecond
	// beat is how often time alone is judged.
	beat = 500 * time.Millisecond
	// SaveEvery is how often the judge's state is kept while nothing is decided.
	// After a crash so much of the journal is judged again, with the same result.
	SaveEvery = 5 * time.Second
	// lastCommit is how long the program's end waits for the last write.
	lastCommit = 5 * time.Second
	// welcome is how long after the start no round is judged while gateways have yet
	// to come and tell what happened when nobody listened. No guard is to blame for
	// that, whatever grace has passed.
	welcome = time.Minute
	// leap is how much the time may go on, or back, from beat to beat.
	leap = 2 * time.Minute
)

// errStopped is the answer to a request that came too late.
var errStopped = errors.New("the judge has stopped")

// judge owns all that is decided. One goroutine feeds it facts, requests and
// time; what it decides, where it stands in the journal and its state go into the
// ledger in one transaction.
type judge struct {
	*follower
	site   facility.Site
	ledger *ledger.Ledger
	engine *rules.Engine
	patrol *patrol.Judge
	crowd  *crowd
	board  *board
	quiet  func() bool // whether no tap can be on its way from a gateway
	now    func() time.Time
	doubt  func() bool // whether now may be wrong by hours

	requests chan request
	urgent   chan fact // facts that are not in the journal yet
	stopped  chan struct{}
	at       uint64 // sequence of the last record that was judged
	saved    uint64 // ... that the ledger knows of
	savedAt  time.Time
	triedAt  time.Time // when the ledger was written last, or was to be
	begun    time.Time
	beatAt   time.Time // when time alone was judged last
	held     []outcome // decided, not yet written, in order
	early    early
	mistimed map[string]bool // gateways whose last record had impossible times
	figures  figures
}

// figures are what the health page shows of the judge.
type figures struct {
	setAside, late, failed, mistimed atomic.Uint64
	unwritten                        atomic.Uint64
	wrote                            atomic.Pointer[time.Time]
	trouble                          atomic.Pointer[string] // why the ledger cannot be written; nil when it can
	learning                         atomic.Pointer[[]rules.Learning]
}

// request is something that a person wants of the judge, answered when it is
// durable.
type request struct {
	do     func() (outcome, error)
	answer chan error
}

// run judges until ctx ends. A decision that is being written then may take
// lastCommit more.
func (j *judge) run(ctx context.Context) {
	defer close(j.stopped)
	work, release := outlive(ctx, lastCommit)
	defer release()
	batches := make(chan facts)
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() {
		defer close(batches)
		j.follow(ctx, j.at, func(f facts) bool {
			select {
			case batches <- f:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	tick := time.NewTicker(beat)
	defer tick.Stop()
	skipped := false
	var waiting *fact // for the journal to be read
	for {
		urgent := j.urgent
		switch {
		case waiting == nil:
		case j.journal.Holds(j.at):
			urgent = nil // first what was there before
		default:
			j.hearEarly(work, *waiting)
			waiting = nil
		}
		select {
		case f := <-urgent:
			waiting = &f
		case f, open := <-batches:
			if !open {
				j.finish(work)
				return
			}
			var o outcome
			for _, item := range f.items {
				if !j.early.knew(item) {
					o.add(j.hear(work, item))
				}
			}
			j.at = f.upTo
			j.step(work, o)
			if skipped {
				skipped = !j.beat(work)
			}
		case r := <-j.requests:
			j.serve(work, r)
		case <-tick.C:
			skipped = !j.beat(work)
		}
	}
}

// outlive returns a context that ends so much after ctx.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// finish keeps the state at the end, so that the next start has nothing to judge
// again. Without the decisions it must not be kept: the journal and the gateways
// still have the facts.
func (j *judge) finish(ctx context.Context) {
	for {
		err := j.commit(ctx, outcome{})
		if err == nil || refused(err) && len(j.held) == 0 {
			return
		}
		if !pause(ctx) {
			j.log.Warn("the judge's last state could not be written; the next start judges a few facts again", "decisions", j.unwritten(), "error", err)
			return
		}
	}
}

// hearEarly judges what is not in the journal yet.
func (j *judge) hearEarly(ctx context.Context, f fact) {
	if j.early.judged(f) {
		j.step(ctx, j.hear(ctx, f))
	}
}

// hear judges one record. It is as if it had arrived by settle earlier, because time alone
// is judged by so much later: so what it leads to does not hang on when that was done last.
func (j *judge) hear(ctx context.Context, f fact) outcome {
	j.noteClock(f)
	o := outcome{rules: j.engine.Hear(f.arrived.Add(-settle), f.readings...)}
	for _, t := range f.taps {
		judged, changes := j.patrol.Tap(t, func(uid string) string { return j.holder(ctx, uid) })
		o.taps = append(o.taps, judged)
		o.patrol = append(o.patrol, changes...)
	}
	stats := j.engine.Stats()
	j.figures.late.Store(stats.Late)
	j.figures.failed.Store(stats.Failed)
	return j.disciplined(o)
}

// noteClock counts readings whose times could not be, and says so once per
// gateway until they can be again.
func (j *judge) noteClock(f fact) {
	if len(f.readings) == 0 || j.mistimed[f.gateway] == (f.mistimed > 0) {
		j.figures.mistimed.Add(uint64(f.mistimed))
		return
	}
	j.mistimed[f.gateway] = f.mistimed > 0
	j.figures.mistimed.Add(uint64(f.mistimed))
	if f.mistimed > 0 {
		j.log.Warn("A GATEWAY'S CLOCK IS WRONG: its readings count from when they are received", "gateway", f.gateway)
		return
	}
	j.log.Info("the gateway's clock is right again", "gateway", f.gateway)
}

// holder names the person whose badge it is. A ledger that cannot be read makes
// it wait, because a guard must not become unknown by our failure.
func (j *judge) holder(ctx context.Context, uid string) string {
	var p facility.Person
	err := j.insist(ctx, "find the holder of a badge", func() error {
		err := j.ledger.View(ctx, func(tx *ledger.Tx) (err error) {
			p, err = tx.PersonByBadge(uid)
			return err
		})
		if errors.Is(err, facility.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || p.Disabled {
		return ""
	}
	return p.Login
}

// beat judges what time alone brings about, and reports false while facts wait in
// the journal: the time of the newest ones is not known yet, and nothing is held
// against anybody.
func (j *judge) beat(ctx context.Context) bool {
	j.noteLeap()
	learning := j.engine.Learning()
	j.figures.learning.Store(&learning)
	if j.journal.Holds(j.at) {
		j.step(ctx, outcome{})
		return false
	}
	now := j.now().Add(-settle)
	o := outcome{rules: j.engine.Advance(now)}
	if quiet := j.quiet(); !j.doubt() && (quiet || now.Sub(j.begun) >= welcome) {
		o.patrol = j.patrol.Advance(now, func(string, time.Time) bool { return quiet })
	} else {
		o.patrol = j.patrol.Open(now)
	}
	o = j.disciplined(o)
	j.tellDue(&o, now)
	j.step(ctx, o)
	return true
}

// noteLeap begins anew to listen when the time has leapt: because this machine learnt
// it, or was held up. What was silent meanwhile, or in an hour that never was, is not to
// blame.
func (j *judge) noteLeap() {
	now := j.now()
	if by := now.Sub(j.beatAt); !j.beatAt.IsZero() && by.Abs() > leap {
		j.log.Warn("THE TIME HAS LEAPT, and what happens is listened to anew", "by", by, "now", now)
		j.engine.Listen(now)
		j.crowd.Rebase(now)
		j.begun = now
	}
	j.beatAt = now
}

// since is how long ago something was; for ever when the time was set back since.
func (j *judge) since(at time.Time) time.Duration {
	if d := j.now().Sub(at); d >= 0 {
		return d
	}
	return math.MaxInt64
}

// serve does what a person asks, if it can be written. What time alone has brought about
// comes first.
func (j *judge) serve(ctx context.Context, r request) {
	if len(j.held) > 0 {
		if err := j.commit(ctx, outcome{}); err != nil {
			r.answer <- err
			return
		}
	}
	var first outcome
	j.noteLeap()
	if !j.journal.Holds(j.at) {
		first.rules = j.engine.Advance(j.now().Add(-settle))
	}
	o, err := r.do()
	if err != nil {
		j.step(ctx, j.disciplined(first))
		r.answer <- err
		return
	}
	o.rules = append(first.rules, o.rules...)
	if o = j.disciplined(o); o.swapped {
		o.add(j.concord(j.now()))
	}
	r.answer <- j.commit(ctx, o)
}

// ask has the judge do something and waits until it is durable.
func (j *judge) ask(ctx context.Context, do func() (outcome, error)) error {
	r := request{do: do, answer: make(chan error, 1)}
	select {
	case j.requests <- r:
	case <-j.stopped:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// acknowledge says that a person has seen the alarm.
func (j *judge) acknowledge(ctx context.Context, by facility.Person, id, note string) error {
	return j.ask(ctx, func() (outcome, error) {
		now := j.now().UTC()
		o := outcome{actor: by.Login, note: note}
		c, err := j.engine.Acknowledge(id, by.Login, note, now)
		if err == nil {
			o.rules = []rules.Change{c}
			return o, nil
		}
		if !errors.Is(err, facility.ErrNotFound) {
			return o, err
		}
		o.patrol, err = j.patrol.Acknowledge(id, by.Login, note, now)
		return o, err
	})
}
