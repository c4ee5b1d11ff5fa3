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

// poller is a decoder of a reader that says nothing unless it is asked. Next returns
// what to send now, nil for nothing, and when to ask again unless something comes
// before; Restart says that the line was opened anew.
type poller interface {
	decoder
	Next(now time.Time) (send []byte, again time.Time)
	Unanswered() int
	Restart()
}

var (
	_ decoder = (*nfc.Decoder)(nil)
	_ decoder = (*nfc.RDM6300)(nil)
	_ decoder = (*nfc.Keyboard)(nil)
	_ poller  = (*nfc.PN532)(nil)
)

func newDecoder(p Protocol, o ReaderOptions) decoder {
	switch p {
	case RDM6300:
		return nfc.NewRDM6300()
	case PN532:
		return nfc.NewPN532()
	case Keyboard:
		return nfc.NewKeyboard(o.Encoding)
	}
	return nfc.NewDecoder(o.Encoding)
}

// mostUnanswered is after how many questions in a row without an answer a reader
// counts as gone, although its port is there.
const mostUnanswered = 4

var errUnanswered = errors.New("the reader does not answer: look at its power, its wires and its mode")

// readerLine owns the line of one reader. All of it belongs to the
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
	silent   bool // the reader does not answer

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
		state:    newLineStatus(cfg),
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
		if errors.Is(err, line.ErrNoBox) { // which was waited for already
			l.hand(ctx)
			continue
		}
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
	l.begin()
	var buf [256]byte
	for {
		until, err := l.ask(ctx, conn)
		if err != nil {
			return true, err
		}
		n, err := conn.Read(ctx, buf[:], until)
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

// begin forgets what had begun on the connection before.
func (l *readerLine) begin() {
	l.decoder.Idle()
	if p, asks := l.decoder.(poller); asks {
		p.Restart()
	}
	l.silent = false
	l.up()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Opened++
}

// ask sends what the reader is to be asked now, and returns until when to listen.
func (l *readerLine) ask(ctx context.Context, conn connection) (until time.Time, err error) {
	now := time.Now()
	p, asks := l.decoder.(poller)
	switch {
	case asks:
	case l.decoder.Pending():
		return now.Add(nfc.IdleGap), nil
	default:
		return now.Add(lookAgain), nil
	}
	before := p.Unanswered()
	frame, until := p.Next(now)
	l.hear(p.Unanswered(), before)
	if frame == nil {
		return until, nil
	}
	l.mu.Lock()
	l.state.Requests++
	l.mu.Unlock()
	return until, conn.Write(ctx, frame)
}

// hear takes notice of how many questions were not answered, by now and before.
func (l *readerLine) hear(unanswered, before int) {
	if unanswered > before {
		l.mu.Lock()
		l.state.Timeouts++
		l.mu.Unlock()
	}
	switch {
	case unanswered >= mostUnanswered && !l.silent:
		l.silent = true
		l.down(errUnanswered)
	case unanswered == 0 && l.silent:
		l.silent = false
		l.up()
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
