package modbus

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/profile"
)

// What another program has asked before the line was opened is answered at any
// moment after it, and looks like the reply to the first request.
func TestTheReplyToAnotherProgramIsNotBelieved(t *testing.T) {
	for late := time.Duration(0); late < 350*time.Millisecond; late += time.Millisecond {
		var free time.Time // when the slave has answered what it was asked before
		onStage(t, func(s *staged, request []byte, sent time.Time) {
			body := s.body(request)
			if len(s.asked) == 1 {
				foreign := slices.Clone(body)
				foreign[3] += 50
				free = s.send(sent.Add(late), s.answer(foreign, sent))
			}
			at := sent.Add(30 * time.Millisecond)
			if at.Before(free) {
				at = free.Add(s.wire.Silence())
			}
			free = s.send(at, s.answer(body, at))
		}, func(t *testing.T, s *staged) {
			s.master.bus.Attach(s)
			lost := 0
			for range 4 {
				if !s.read(here, Timing{}) {
					lost++
				}
			}
			if lost > 2 {
				t.Errorf("%v: it cost %d polls", late, lost)
			}
			s.want(here)
		})
	}
}

// A refusal of what another program has asked.
func TestTheRefusalOfAnotherProgramRefusesNothing(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if len(s.asked) == 1 {
			body := s.body(request)
			s.later(sent.Add(5*time.Millisecond), s.wrap([]byte{body[0], body[1] | 0x80, IllegalAddress}))
		}
		s.send(sent.Add(30*time.Millisecond), s.answer(s.body(request), sent))
	}, func(t *testing.T, s *staged) {
		s.master.bus.Attach(s)
		s.fails(here, ErrGarbled)
		s.want(here)
	})
}

// Each slave is asked once more when it is heard for the first time on a connection,
// and not after that.
func TestASlaveIsMetOnceOnEachConnection(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) { s.honest(request, sent) }, func(t *testing.T, s *staged) {
		for connection := range 3 {
			s.master.bus.Attach(s)
			before := len(s.asked)
			for range 5 {
				s.want(here)
				s.want(there)
			}
			if n := len(s.asked) - before; n != 11 {
				t.Errorf("connection %d: %d requests for 10 polls", connection, n)
			}
		}
		s.master.bus.Attach(s)
		before := len(s.asked)
		<-time.After(2 * lateness)
		s.want(here)
		if n := len(s.asked) - before; n != 1 {
			t.Errorf("%d requests when nothing can be late any more", n)
		}
	})
}

// There are slaves that say nothing at all to what they do not have.
func TestASlaveThatGivesNoMoreAndRefusesNothingIsMet(t *testing.T) {
	two := Request{1, profile.Holding, 10, 2}
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if s.quantity() == 2 {
			s.honest(request, sent)
		}
	}, func(t *testing.T, s *staged) {
		s.master.bus.Attach(s)
		for range 3 {
			s.want(two)
		}
		if len(s.asked) != 5 {
			t.Errorf("%d requests", len(s.asked))
		}
	})
}

// A master that begins on a line on which everything goes wrong, again and again:
// what the one before it has asked comes late, up to ten seconds, and in order.
func TestSoakOfMastersThatBegin(t *testing.T) {
	for name, framing := range map[string]Framing{"rtu": RTU, "ascii": ASCII} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSoak(framing, *soakSeed, 4**soakRate)
				s.tell, s.slow = t.Errorf, func(string, ...any) {}
				s.restarts, s.adversary.orderly = 5, true
				s.run(t.Context(), *soakPolls/2)
				t.Logf("of %d polls %d answered, %d wrong, %d old", s.polls, s.answered, s.wrong, s.stale)
			})
		})
	}
}
