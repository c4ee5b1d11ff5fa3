package devices

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"gengfu/devices/line"
	"gengfu/devices/nfc"
	"gengfu/facility"
)

// maxWaiting bounds the taps that are kept while the sink does not take them:
// days of a busy reader.
const maxWaiting = 10_000

// lastChance is how long the sink has at the end to take the taps that are left.
const lastChance = 5 * time.Second

// decoder finds the cards in the bytes of a reader. When nothing has come for
// nfc.IdleGap, Idle ends what is pending.
type decoder interface {
	Feed(b []byte) (uids []string)
	Pending() bool
	Idle() (uids []string)
	Garbage() uint64
}

var (
	_ decoder = (*nfc.Decoder)(nil)
	_ decoder = (*nfc.RDM6300)(nil)
)

func newDecoder(p Protocol, o ReaderOptions) decoder {
	if p == RDM6300 {
		return nfc.NewRDM6300()
	}
	return nfc.NewDecoder(o.Encoding)
}

// readerLine owns the line of one serial reader. All of it belongs to the
// goroutine of run, except what mu guards.
type readerLine struct {
	cfg      LineConfig
	reader   string
	sink     Sink
	log      *slog.Logger
	now      func() time.Time
	decoder  decoder
	debounce *nfc.Debounce
	waiting  []facility.Tap
	failing  string

	// open and wait are the world outside; tests put their own.
	open func(context.Context) (connection, error)
	wait func(ctx context.Context, until time.Time) error

	mu    sync.Mutex
	state LineStatus
}

func newReaderLine(cfg LineConfig, reader string, opts Options, opener func(context.Context) (connection, error)) *readerLine {
	var o ReaderOptions
	if cfg.Reader != nil {
		o = *cfg.Reader
	}
	return &readerLine{
		cfg: cfg, reader: reader, sink: opts.Sink, now: opts.Now,
		log:      opts.Logger.With("line", cfg.ID, "reader", reader),
		decoder:  newDecoder(cfg.Protocol, o),
		debounce: nfc.NewDebounce(o.Debounce),
		open:     opener,
		wait:     line.Wait,
		state:    LineStatus{ID: cfg.ID, Protocol: cfg.Protocol, State: LineDown},
	}
}

func (l *readerLine) run(ctx context.Context) {
	var backoff line.Backoff
	for ctx.Err() == nil {
		opened, err := l.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if opened {
			backoff.Reset()
		}
		l.down(err)
		if err := l.wait(ctx, time.Now().Add(backoff.Next(rand.Float64()))); err != nil {
			break
		}
		l.hand(ctx)
	}
	l.finish(ctx)
}

// finish gives the sink the taps that are left, although the context has ended: a
// tap is never dropped while there is anybody to take it.
func (l *readerLine) finish(ctx context.Context) {
	if len(l.waiting) == 0 {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastChance)
	defer cancel()
	l.hand(last)
	if n := len(l.waiting); n > 0 {
		l.log.Error("taps are lost, nothing took them before the end", "taps", n)
		l.drop(n)
	}
}

func (l *readerLine) session(ctx context.Context) (opened bool, err error) {
	conn, err := l.open(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if cerr := conn.Close(); cerr != nil {
			l.log.Debug("closing the line", "err", cerr)
		}
	}()
	l.up()
	var buf [256]byte
	for {
		wait := lookAgain
		if l.decoder.Pending() {
			wait = nfc.IdleGap
		}
		n, err := conn.Read(ctx, buf[:], time.Now().Add(wait))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			for _, uid := range l.decoder.Idle() {
				l.seen(uid)
			}
		case err != nil:
			return true, err
		}
		for _, uid := range l.decoder.Feed(buf[:n]) {
			l.seen(uid)
		}
		l.hand(ctx)
	}
}

// seen makes a tap of a card that begins a visit.
func (l *readerLine) seen(uid string) {
	now := l.now()
	if !l.debounce.Visit(uid, now) {
		return
	}
	if len(l.waiting) == maxWaiting {
		l.log.Error("a tap is lost, too many wait already", "uid", uid)
		l.drop(1)
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		id = uuid.New() // no entropy: still an id of its own
	}
	l.waiting = append(l.waiting, facility.Tap{
		ID: id.String(), Source: facility.TapReader, Reader: l.reader, Credential: uid,
		TappedAt: now.UTC().Round(0),
	})
}

// hand gives the sink what waits, in order.
func (l *readerLine) hand(ctx context.Context) {
	failing := ""
	taken := 0
	for _, tap := range l.waiting {
		tap.SentAt = l.now().UTC().Round(0)
		if err := l.sink.Tap(ctx, tap); err != nil {
			failing = err.Error()
			break
		}
		taken++
	}
	l.waiting = l.waiting[taken:]
	if failing != "" && failing != l.failing {
		l.log.Error("handing over a tap, it waits", "err", failing)
	}
	l.failing = failing
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Taps += uint64(taken)
	l.state.Waiting = len(l.waiting)
	l.state.Errors = l.decoder.Garbage()
}

func (l *readerLine) drop(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Dropped += uint64(n)
}

func (l *readerLine) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.State, l.state.Reason = LineUp, ""
	l.state.Opened++
}

func (l *readerLine) down(cause error) {
	l.mu.Lock()
	changed := l.state.State == LineUp || l.state.Reason != cause.Error()
	l.state.State, l.state.Reason = LineDown, cause.Error()
	l.mu.Unlock()
	if changed {
		l.log.Warn("the line is down", "err", cause)
	}
}

func (l *readerLine) status(time.Time) LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}
