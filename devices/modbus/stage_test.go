package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line/linetest"
	"gengfu/devices/profile"
)

const stageTimeout = 200 * time.Millisecond

var names = map[Framing]string{RTU: "rtu", ASCII: "ascii", TCP: "tcp"}

// staged is a line in virtual time with the timing of 9600 baud, on which a test
// says what a request brings. Slaves hold the truth of the time when they are asked.
type staged struct {
	*adversary
	t      *testing.T
	master *Master
	asked  [][]byte // the bodies of all requests
	header []byte   // of the last request over TCP
	play   func(s *staged, request []byte, sent time.Time)
}

func stage(t *testing.T, framing Framing, play func(s *staged, request []byte, sent time.Time)) *staged {
	s := &staged{t: t, play: play, adversary: &adversary{
		random: rand.New(rand.NewPCG(1, 1)), framing: framing, wire: bus.Wire{Character: wire9600.Character}, began: time.Now(),
	}}
	opts := Options{Framing: framing, Timeout: stageTimeout, Wait: linetest.Wait}
	if framing != TCP {
		opts.Bus = bus.New(bus.Options{Wire: s.wire, Wait: linetest.Wait})
		opts.Bus.Attach(s)
	} else {
		s.wire = bus.Wire{}
	}
	s.master = NewMaster(opts)
	s.master.Attach(s)
	s.master.acquainted()
	return s
}

// acquainted spares the master of a test to meet each slave first.
func (m *Master) acquainted() {
	if m.bus == nil {
		return
	}
	_, line := m.bus.Attached()
	for unit := range m.met {
		m.met[unit] = line
	}
}

func (s *staged) body(request []byte) []byte {
	switch s.framing {
	case ASCII:
		body, _, _ := cutASCII(request)
		return body
	case TCP:
		return request[mbapLength-1:]
	default:
		return request[:len(request)-checkLength]
	}
}

// wrap makes a frame; over TCP it answers the last request.
func (s *staged) wrap(body []byte) []byte {
	if s.framing != TCP {
		return s.adversary.wrap(body)
	}
	frame := append(slices.Clone(s.header[:4]), 0, byte(len(body)))
	return append(frame, body...)
}

func (s *staged) answer(body []byte, at time.Time) []byte {
	if s.framing != TCP {
		return s.adversary.answer(body, at)
	}
	s.framing = RTU
	frame := s.adversary.answer(body, at)
	s.framing = TCP
	return s.wrap(frame[:len(frame)-checkLength])
}

func (s *staged) Write(_ context.Context, request []byte) error {
	request = slices.Clone(request)
	s.header = request
	s.asked = append(s.asked, s.body(request))
	s.play(s, request, time.Now().Add(s.wire.Of(len(request))))
	return nil
}

// honest answers as a slave does, five milliseconds after the request.
func (s *staged) honest(request []byte, sent time.Time) time.Time {
	return s.send(sent.Add(5*time.Millisecond), s.answer(s.body(request), sent))
}

// read reads and compares with what the registers held; false is an error.
func (s *staged) read(r Request, timing Timing) bool {
	s.t.Helper()
	began := time.Now()
	words, err := s.master.Read(s.t.Context(), r, timing)
	if err != nil {
		return false
	}
	soak := soak{adversary: s.adversary}
	if !soak.held(r, words, began, time.Now()) {
		s.t.Fatalf("%v was given % X, which it did not hold", r, words)
	}
	return true
}

func (s *staged) want(r Request) {
	s.t.Helper()
	if !s.read(r, Timing{}) {
		s.t.Fatalf("%v was not read", r)
	}
}

func (s *staged) fails(r Request, with error) {
	s.t.Helper()
	if words, err := s.master.Read(s.t.Context(), r, Timing{}); !errors.Is(err, with) {
		s.t.Fatalf("%v: got % X, %v; want %v", r, words, err, with)
	}
}

// quantity of the last request to read.
func (s *staged) quantity() int {
	return int(binary.BigEndian.Uint16(s.asked[len(s.asked)-1][4:]))
}

// here and there are registers whose replies look alike.
var (
	here  = Request{1, profile.Holding, 10, 4}
	there = Request{1, profile.Holding, 70, 4}
)

var _ bus.Conn = (*staged)(nil)
