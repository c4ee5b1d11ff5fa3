package bus

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/line/linetest"
)

// piece is what comes so long after a request was written.
type piece struct {
	after time.Duration
	bytes string
}

// scripted is a line in virtual time on which a test says what comes after each
// request. Bytes of a piece come at once.
type scripted struct {
	say    func(n int, request string) []piece
	sent   []time.Time
	frames []string
	coming []arrival
	reads  int
}

type arrival struct {
	at    time.Time
	bytes string
}

func (s *scripted) Write(_ context.Context, p []byte) error {
	now := time.Now()
	s.sent, s.frames = append(s.sent, now), append(s.frames, string(p))
	if s.say == nil {
		return nil
	}
	for _, q := range s.say(len(s.sent), string(p)) {
		s.coming = append(s.coming, arrival{now.Add(q.after), q.bytes})
	}
	slices.SortStableFunc(s.coming, func(a, b arrival) int { return a.at.Compare(b.at) })
	return nil
}

func (s *scripted) Read(ctx context.Context, p []byte, deadline time.Time) (int, error) {
	s.reads++
	for {
		now := time.Now()
		if n := s.take(p, now); n > 0 {
			return n, nil
		}
		if !now.Before(deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		until := deadline
		if len(s.coming) > 0 && s.coming[0].at.Before(until) {
			until = s.coming[0].at
		}
		if err := linetest.Wait(ctx, until); err != nil {
			return 0, err
		}
	}
}

func (s *scripted) take(p []byte, now time.Time) (n int) {
	for n < len(p) && len(s.coming) > 0 && !s.coming[0].at.After(now) {
		k := copy(p[n:], s.coming[0].bytes)
		n += k
		if s.coming[0].bytes = s.coming[0].bytes[k:]; s.coming[0].bytes == "" {
			s.coming = s.coming[1:]
		}
	}
	return n
}

func (s *scripted) Discard() error { return nil }

// Frames of these tests are "<....>" of six characters: what is between is the
// reply's, "!" instead of the end is a wrong check.
const frameLength = 6

func find(received []byte) (f Found) {
	for i, c := range received {
		switch {
		case c != '<':
		case len(received)-i < frameLength:
			f.Missing = frameLength - (len(received) - i)
			return f
		case received[i+frameLength-1] == '>':
			return Found{Frame: received[i : i+frameLength]}
		default:
			f.Corrupt = true
		}
	}
	return f
}

// wire has characters of 1 ms, so that a silence is 3.5 ms.
var wire = Wire{Character: time.Millisecond}

const (
	request = "request!" // 8 ms on the wire
	timeout = 100 * time.Millisecond
	ms      = time.Millisecond
)

// prompt is the reply that comes in 5 ms after the request has left.
func prompt(reply string) []piece { return []piece{{8*ms + 5*ms + 6*ms, reply}} }

type world struct {
	*Bus
	t      *testing.T
	conn   *scripted
	strays bytes.Buffer
}

func inWorld(t *testing.T, opts Options, say func(n int, request string) []piece, do func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opts.Wait = linetest.Wait
		if opts.Wire == (Wire{}) {
			opts.Wire = wire
		}
		w := &world{Bus: New(opts), t: t, conn: &scripted{say: say}}
		w.Attach(w.conn)
		w.Overhear(func(stray []byte, _ time.Time) { w.strays.Write(stray) })
		do(t, w)
	})
}

func (w *world) ask() (string, error) { return w.askAs(Ask{}) }

func (w *world) askAs(a Ask) (string, error) {
	w.t.Helper()
	a.Expect, a.Find = frameLength, find
	if a.Frame == nil {
		a.Frame = []byte(request)
	}
	if a.Timeout == 0 {
		a.Timeout = timeout
	}
	got, err := w.Exchange(w.t.Context(), a)
	return string(got), err
}

func (w *world) want(reply string) {
	w.t.Helper()
	if got, err := w.ask(); got != reply || err != nil {
		w.t.Fatalf("request %d: got %q, %v; want %q", len(w.conn.sent), got, err, reply)
	}
}

func (w *world) fails(with error) time.Duration {
	w.t.Helper()
	start := time.Now()
	got, err := w.ask()
	if !errors.Is(err, with) {
		w.t.Fatalf("request %d: got %q, %v; want %v", len(w.conn.sent), got, err, with)
	}
	return time.Since(start)
}

func TestTheReplyIsReturnedWhenItsLastByteIsThere(t *testing.T) {
	inWorld(t, Options{}, func(int, string) []piece {
		var bytes []piece
		for i, c := range "<abcd>" {
			bytes = append(bytes, piece{8*ms + 5*ms + time.Duration(i+1)*ms, string(c)})
		}
		return bytes
	}, func(t *testing.T, w *world) {
		w.want("<abcd>")
		if took := time.Since(w.conn.sent[0]); took != 19*ms {
			t.Errorf("it took %s, the wire takes 19ms", took)
		}
	})
}

func TestEachRequestHasItsSilenceBefore(t *testing.T) {
	for name, c := range map[string]struct {
		wire  Wire
		pause time.Duration
		want  time.Duration
	}{
		"3.5 characters":            {Wire{Character: ms}, 0, 3500 * time.Microsecond},
		"1.75 ms above 19200 baud":  {Wire{Character: 100 * time.Microsecond}, 0, 1750 * time.Microsecond},
		"the gap of the line":       {Wire{Character: ms, Gap: 10 * ms}, 0, 10 * ms},
		"a gap below 3.5 char.":     {Wire{Character: ms, Gap: 2 * ms}, 0, 3500 * time.Microsecond},
		"the pause of the slave":    {Wire{Character: ms, Gap: 10 * ms}, 50 * ms, 50 * ms},
		"none where nothing is set": {Wire{Gap: 1}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Options{Wire: c.wire}, func(int, string) []piece { return prompt("<abcd>") }, func(t *testing.T, w *world) {
				w.want("<abcd>")
				quiet := time.Now()
				if _, err := w.askAs(Ask{Pause: c.pause}); err != nil {
					t.Fatal(err)
				}
				if got := w.conn.sent[1].Sub(quiet); got != c.want {
					t.Errorf("the line was quiet for %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestAfterAFailureTheLineIsLetFallQuiet(t *testing.T) {
	inWorld(t, Options{}, func(n int, _ string) []piece {
		if n == 1 { // too late, and in pieces
			return []piece{{110 * ms, "<l"}, {140 * ms, "at"}, {180 * ms, "e>"}}
		}
		return prompt("<good>")
	}, func(t *testing.T, w *world) {
		w.fails(ErrGarbled)
		w.want("<good>")
		if quiet := w.conn.sent[1].Sub(w.conn.sent[0].Add(180 * ms)); quiet < 50*ms {
			t.Errorf("it asked %s after the last byte of the late reply", quiet)
		}
		if got := w.strays.String(); got != "<late>" {
			t.Errorf("overheard %q", got)
		}
	})
}

// Who talks right before a request is waited for, also when nothing had failed.
func TestALineThatIsBusyIsNotWrittenTo(t *testing.T) {
	inWorld(t, Options{}, func(n int, _ string) []piece {
		if n == 1 {
			return append(prompt("<once>"), piece{22 * ms, "<on"}, piece{25 * ms, "ce>"})
		}
		return prompt("<next>")
	}, func(t *testing.T, w *world) {
		w.want("<once>")
		w.want("<next>")
		if w.conn.sent[1].Before(w.conn.sent[0].Add(25*ms + 50*ms)) {
			t.Errorf("it asked %s after its first request", w.conn.sent[1].Sub(w.conn.sent[0]))
		}
		if got := w.strays.String(); got != "<once>" {
			t.Errorf("overheard %q", got)
		}
	})
}

func TestALineThatIsNeverQuietFails(t *testing.T) {
	inWorld(t, Options{}, nil, func(t *testing.T, w *world) {
		for i := range 1000 {
			w.conn.coming = append(w.conn.coming, arrival{time.Now().Add(time.Duration(i) * 10 * ms), "~"})
		}
		took := w.fails(ErrGarbled)
		if took < longestNoise || took > longestNoise+100*ms {
			t.Errorf("it gave up after %s", took)
		}
		if _, err := w.ask(); !errors.Is(err, ErrUnsent) || len(w.conn.sent) > 0 {
			t.Errorf("%d requests were sent into the noise: %v", len(w.conn.sent), err)
		}
	})
}

// Bytes that dribble in never end a read of their own: the deadline does.
func TestTheDeadlineHoldsAgainstBytesThatDribbleIn(t *testing.T) {
	for name, bytes := range map[string]string{"noise": "~", "frames of others": "(them)", "beginnings": "<"} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Options{}, func(int, string) (all []piece) {
				for at := 9 * ms; at < time.Second; at += 5 * ms {
					all = append(all, piece{at, bytes})
				}
				return all
			}, func(t *testing.T, w *world) {
				start := time.Now()
				if _, err := w.ask(); !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrGarbled) {
					t.Fatal(err)
				}
				if took := time.Until(w.conn.sent[0].Add(8*ms + timeout + 6*ms)).Abs(); took > 5*ms {
					t.Errorf("it gave up after %s", time.Since(start))
				}
			})
		})
	}
}

func TestAFullBufferIsAnError(t *testing.T) {
	inWorld(t, Options{Wire: Wire{Gap: 1}}, func(int, string) (all []piece) {
		for i := range 30 {
			all = append(all, piece{time.Duration(i) * ms, string(bytes.Repeat([]byte("~"), 100))})
		}
		return all
	}, func(t *testing.T, w *world) {
		w.fails(ErrGarbled)
	})
}

func TestAWrongCheckIsGivenUpBeforeTheTimeout(t *testing.T) {
	inWorld(t, Options{}, func(int, string) []piece { return prompt("<bad.!") }, func(t *testing.T, w *world) {
		if took := w.fails(ErrGarbled); took > 130*ms {
			t.Errorf("it waited %s", took)
		}
		if n := len(w.conn.sent); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestWhatStandsBeforeTheReplyIsPassedOver(t *testing.T) {
	for _, before := range []string{"~", "\x00\xff", "(them)", "<bad.!", "(th", "!tseuqer"} {
		inWorld(t, Options{}, func(int, string) []piece {
			return []piece{{10 * ms, before}, {23 * ms, "<good>"}}
		}, func(t *testing.T, w *world) {
			w.want("<good>")
			if got := w.strays.String(); got != before {
				t.Errorf("overheard %q of %q", got, before)
			}
		})
	}
}

// trusting makes as many exchanges as it takes to know that the line paces.
func (w *world) trusting(reply string) {
	w.t.Helper()
	for range onTimeToTrust {
		w.want(reply)
	}
}

// A reply needs its time on the wire, and so does the request before it.
func TestAReplyThatComesTooSoonIsNone(t *testing.T) {
	inWorld(t, Options{}, func(n int, _ string) []piece {
		switch n - onTimeToTrust {
		case 1: // an earlier reply once more, while the request is being sent
			return append(prompt("<two.>"), piece{7 * ms, "<one.>"})
		case 2: // ... or right after it
			return append(prompt("<tri.>"), piece{12 * ms, "<two.>"})
		case 3: // ... and nothing else
			return []piece{{12 * ms, "<tri.>"}}
		}
		return prompt("<one.>")
	}, func(t *testing.T, w *world) {
		w.trusting("<one.>")
		w.want("<two.>")
		w.want("<tri.>")
		w.fails(ErrTimeout)
		w.want("<one.>")
	})
}

// A virtual port knows nothing of baud rates: its replies are all too soon, save
// those that take their time by chance.
func TestALineThatDoesNotPaceIsBelieved(t *testing.T) {
	inWorld(t, Options{}, func(n int, _ string) []piece {
		if n%8 > 0 {
			return prompt("<slow>")
		}
		return []piece{{ms, "<fast>"}}
	}, func(t *testing.T, w *world) {
		for n := range 100 {
			w.want(map[bool]string{true: "<slow>", false: "<fast>"}[(n+1)%8 > 0])
		}
	})
	inWorld(t, Options{}, func(n int, _ string) []piece {
		if n <= onTimeToTrust {
			return prompt("<slow>")
		}
		return []piece{{ms, "<fast>"}}
	}, func(t *testing.T, w *world) {
		w.trusting("<slow>")
		for range earlyToDoubt {
			w.fails(ErrTimeout)
		}
		for range 100 {
			w.want("<fast>")
		}
	})
}

func TestAnErrorBeforeTheRequestSaysSo(t *testing.T) {
	inWorld(t, Options{}, nil, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := w.Exchange(ctx, Ask{Frame: []byte(request), Find: find, Timeout: timeout})
		if !errors.Is(err, ErrUnsent) || !errors.Is(err, context.Canceled) || len(w.conn.sent) != 0 {
			t.Errorf("got %v after %d requests", err, len(w.conn.sent))
		}
		w.fails(ErrTimeout)
		if _, err := w.ask(); errors.Is(err, ErrUnsent) {
			t.Errorf("a request that was sent: %v", err)
		}
	})
}

func TestARestThatIsLongIsNotWaitedForByteByByte(t *testing.T) {
	inWorld(t, Options{}, func(int, string) []piece {
		var all []piece
		for i := range 200 {
			all = append(all, piece{time.Duration(13+i) * ms, "x"})
		}
		return all
	}, func(t *testing.T, w *world) {
		long := func(b []byte) Found {
			if len(b) < 200 {
				return Found{Missing: 200 - len(b)}
			}
			return Found{Frame: b[:200]}
		}
		if _, err := w.Exchange(t.Context(), Ask{Frame: []byte(request), Expect: 200, Timeout: timeout, Find: long}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(w.conn.sent[0]); took != 212*ms || w.conn.reads > 206 {
			t.Errorf("it took %s and %d reads", took, w.conn.reads)
		}
	})
}
