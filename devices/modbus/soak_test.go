package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/line/linetest"
	"gengfu/devices/profile"
)

var (
	soakPolls = flag.Int("polls", 20_000, "polls of the soak test")
	soakSeed  = flag.Uint64("soakseed", 1, "seed of the soak test")
	soakRate  = flag.Float64("faults", 0.05, "share of the requests of the soak test that are spoilt")
)

const soakTimeout = 200 * time.Millisecond

// soak polls eight slaves over a line on which anything may happen, and compares
// every value with what the register held while it was asked.
type soak struct {
	*Master
	adversary *adversary
	paces     map[byte]*bus.Pace
	free      map[byte]time.Time // when a slave may be asked again after a failure
	requests  []Request
	last      map[Request]time.Time // when a request was last made
	failing   map[byte]int          // polls in a row that failed though nothing was spoilt in them

	restarts int // after so many polls a new master begins; 0 is never

	polls, answered, failed, wrong, stale int
	resync                                int // the most polls that it took until one brought the value again
	tell, slow                            func(format string, args ...any)
	read                                  func(ctx context.Context, r Request, words []uint16) error
}

func newSoak(framing Framing, seed uint64, rate float64) *soak {
	wire := bus.Wire{Character: line.Serial{Baud: 19200}.Character()}
	a := &adversary{
		random: rand.New(rand.NewPCG(seed, 1)), framing: framing, wire: wire, rate: rate, began: time.Now(),
		sparse: map[byte]bool{7: true, 8: true}, polled: map[Request]bool{}, free: map[byte]time.Time{},
	}
	s := &soak{
		adversary: a, paces: map[byte]*bus.Pace{}, free: map[byte]time.Time{}, last: map[Request]time.Time{}, failing: map[byte]int{},
	}
	for unit := byte(1); unit <= 8; unit++ {
		for _, r := range []Request{
			{unit, profile.Holding, 0, 10},
			{unit, profile.Holding, 50, 10},
			{unit, profile.Holding, 100, 2},
			{unit, profile.Input, 0, 2},
			{unit, profile.Input, 20, 60},
			{unit, profile.Coil, 0, 32},
			{unit, profile.Coil, 64, 32},
		} {
			s.requests = append(s.requests, r)
			a.polled[r] = true
		}
		s.paces[unit] = bus.NewPace(100*time.Millisecond, soakTimeout)
	}
	s.restart()
	s.read = func(ctx context.Context, r Request, words []uint16) error {
		return s.ReadInto(ctx, r, Timing{Pace: s.paces[r.Unit]}, words)
	}
	return s
}

// restart puts a new master on the line, which knows nothing of what the one before
// it has asked.
func (s *soak) restart() {
	a := s.adversary
	shared := bus.New(bus.Options{Wire: a.wire, Wait: linetest.Wait, Trace: func(x bus.Exchange) {
		a.note("% x -> % x %v", x.Request, x.Reply, x.Err)
	}})
	shared.Attach(a)
	s.Master = NewMaster(Options{Framing: a.framing, Bus: shared, Timeout: soakTimeout, Wait: linetest.Wait})
}

func (s *soak) run(ctx context.Context, polls int) {
	words := make([]uint16, 125)
	for s.polls < polls {
		if s.polls%1000 == 0 {
			s.adversary.echo = []float64{0, 1, 0.5}[s.polls/1000%3]
		}
		r := s.requests[s.adversary.random.IntN(len(s.requests))]
		if time.Now().Before(s.free[r.Unit]) && s.adversary.random.IntN(4) > 0 {
			<-time.After(5 * time.Millisecond) // the scheduler leaves it alone, mostly
			continue
		}
		s.polls++
		if s.restarts > 0 && s.polls%s.restarts == 0 {
			<-time.After(longestAgain) // a program takes its time to start
			s.restart()
		}
		s.poll(ctx, r, words[:r.Quantity])
	}
}

func (s *soak) poll(ctx context.Context, r Request, words []uint16) {
	began, faults := time.Now(), s.adversary.faults
	err := s.read(ctx, r, words)
	clean := s.adversary.faults == faults && s.adversary.calm(began, time.Now())
	defer func() { s.last[r] = began }()
	if err != nil {
		s.failed++
		if errors.Is(err, ErrTimeout) {
			s.free[r.Unit] = time.Now().Add(s.paces[r.Unit].Window())
		}
		if clean {
			s.failing[r.Unit]++
			s.resync = max(s.resync, 1+s.failing[r.Unit])
			s.slow("poll %d: nothing was spoilt, and yet %v\n%s", s.polls, err, strings.Join(s.adversary.journal, "\n"))
		}
		return
	}
	s.failing[r.Unit] = 0
	s.resync = max(s.resync, 1)
	s.answered++
	switch {
	case s.held(r, words, began, time.Now()):
	case !s.last[r].IsZero() && s.held(r, words, s.last[r].Add(-stepLength), began):
		s.stale++
	default:
		s.wrong++
		s.tell("poll %d: %v was given % x\n%s", s.polls, r, words, strings.Join(s.adversary.journal, "\n"))
	}
}

// held reports whether the registers held the words all at once in that time.
func (s *soak) held(r Request, words []uint16, from, to time.Time) bool {
	for step := s.adversary.step(to); step >= s.adversary.step(from); step-- {
		same := true
		for i := 0; same && i < len(words); i++ {
			same = words[i] == truth(r.Unit, r.Table, int(r.Address)+i, step)
		}
		if same {
			return true
		}
	}
	return false
}

func TestSoak(t *testing.T) {
	for name, framing := range map[string]Framing{"rtu": RTU, "ascii": ASCII} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSoak(framing, *soakSeed, *soakRate)
				s.tell, s.slow = t.Errorf, t.Logf
				s.run(t.Context(), *soakPolls)
				fmt.Printf("%s: polls %d wrong %d resync_max %d; faults %d, answered %d, one poll old %d, %+v\n",
					name, s.polls, s.wrong, s.resync, s.adversary.faults, s.answered, s.stale, s.Counters())
				if s.resync > 1 {
					t.Errorf("it took %d polls until a value was right again", s.resync)
				}
				if float64(s.answered) < float64(s.polls)*(1-2**soakRate) {
					t.Errorf("only %d of %d polls were answered", s.answered, s.polls)
				}
			})
		})
	}
}

// Where nothing is wrong, the protections cost nothing.
func TestASoundLineIsAskedOnceForEachPoll(t *testing.T) {
	for name, framing := range map[string]Framing{"rtu": RTU, "ascii": ASCII} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSoak(framing, *soakSeed, 0)
				s.tell, s.slow = t.Errorf, t.Errorf
				s.run(t.Context(), 999) // without echo
				const met = 8           // each slave is asked once more, when it is heard for the first time
				if c := s.Counters(); c.Requests != uint64(s.polls)+met || s.answered != s.polls || s.stale > 0 {
					t.Errorf("%d polls, %d answered, counted %+v", s.polls, s.answered, c)
				}
			})
		})
	}
}

// naive reads like a master that takes the first frame of the right slave, function
// and length for the reply, after it has emptied its buffer.
func (s *soak) naive(ctx context.Context, r Request, words []uint16) error {
	if err := s.adversary.Discard(); err != nil {
		return err
	}
	request := binary.BigEndian.AppendUint16([]byte{r.Unit, r.Table.Function()}, r.Address)
	request = s.adversary.wrap(binary.BigEndian.AppendUint16(request, r.Quantity))
	if err := s.adversary.Write(ctx, request); err != nil {
		return err
	}
	var buf [1024]byte
	for n := 0; n < len(buf); {
		k, err := s.adversary.Read(ctx, buf[n:], time.Now().Add(soakTimeout))
		if err != nil {
			return err
		}
		n += k
		e := r.expected()
		for i := range n - e.length() - checkLength + 1 {
			if frame := buf[i:n][:e.length()+checkLength]; e.lengthAt(frame) == e.length() && crcOK(frame) {
				r.unpack(frame[bodyHead:], words)
				return nil
			}
		}
	}
	return ErrGarbled
}

// The adversary is worth something only if it deceives a master without protection.
func TestTheAdversaryDeceivesANaiveMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoak(RTU, *soakSeed, *soakRate)
		s.tell, s.slow = func(string, ...any) {}, func(string, ...any) {}
		s.read = s.naive
		s.run(t.Context(), 20_000)
		t.Logf("%d of %d values are wrong, and %d are old", s.wrong, s.answered, s.stale)
		if s.wrong < 10 {
			t.Errorf("only %d wrong values", s.wrong)
		}
	})
}
