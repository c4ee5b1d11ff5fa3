package modbus

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// onStage runs a test of what both serial framings do.
func onStage(t *testing.T, play func(s *staged, request []byte, sent time.Time), do func(t *testing.T, s *staged)) {
	t.Helper()
	for _, framing := range []Framing{RTU, ASCII} {
		t.Run(names[framing], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { do(t, stage(t, framing, play)) })
		})
	}
}

// A reply that comes at any time after its timeout, also right into the reply to
// the next request, and whatever else of its shape is asked.
func TestALateReplyIsNeverAnother(t *testing.T) {
	for late := 5 * time.Millisecond; late < 400*time.Millisecond; late += 3 * time.Millisecond {
		onStage(t, func(s *staged, request []byte, sent time.Time) {
			if len(s.asked) == 1 {
				s.later(sent.Add(stageTimeout+late), s.answer(s.body(request), sent))
				return
			}
			s.honest(request, sent)
		}, func(t *testing.T, s *staged) {
			if s.read(here, Timing{}) {
				t.Fatal("it was in time")
			}
			spoilt := 0 // by the late one, when both are on the wire at once
			for _, r := range []Request{there, here, there, here} {
				if !s.read(r, Timing{}) {
					spoilt++
				}
				if s.quantity() == int(r.Quantity) {
					t.Errorf("%d registers were asked for again", r.Quantity)
				}
			}
			if spoilt > 1 {
				t.Errorf("one late reply cost %d polls", spoilt)
			}
		})
	}
}

// Replies that are all late, each by several requests, and overtake one another.
func TestRepliesThatAreLateAcrossRequestsAreNeverOthers(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if n := len(s.asked); n <= 8 {
			s.later(sent.Add(time.Duration(3000-150*n)*time.Millisecond), s.answer(s.body(request), sent))
			return
		}
		s.honest(request, sent)
	}, func(t *testing.T, s *staged) {
		for i := range 8 {
			s.fails([]Request{here, there}[i%2], ErrTimeout)
		}
		for i := range 200 {
			s.read([]Request{here, there}[i%2], Timing{})
		}
		s.want(here)
		s.want(there)
	})
}

func TestACutOrCorruptReplyIsAnError(t *testing.T) {
	for i := range 13 {
		for _, cut := range []bool{false, true} {
			onStage(t, func(s *staged, request []byte, sent time.Time) {
				reply := s.answer(s.body(request), sent)
				switch {
				case len(s.asked) == 2 && cut:
					reply = reply[:i]
				case len(s.asked) == 2:
					reply[i] ^= 0x10
				}
				s.send(sent.Add(5*time.Millisecond), reply)
			}, func(t *testing.T, s *staged) {
				s.want(here)
				if s.read(there, Timing{}) {
					t.Error("it was taken")
				}
				s.want(here)
				s.want(there)
			})
		}
	}
}

// The reply before comes a second time, at any moment, while other registers of the
// same shape are read.
func TestAReplyThatComesTwiceIsNeverAnother(t *testing.T) {
	const warm = 20 // replies until the bus knows that the line paces
	for again := time.Duration(0); again < 60*time.Millisecond; again += 500 * time.Microsecond {
		onStage(t, func(s *staged, request []byte, sent time.Time) {
			end := s.honest(request, sent)
			if len(s.asked) == warm+1 {
				s.later(end.Add(again), s.answer(s.body(request), sent))
			}
		}, func(t *testing.T, s *staged) {
			for range warm {
				s.want(Request{2, profile.Input, 0, 1})
			}
			s.want(here)
			spoilt := 0 // when both are on the wire at once
			for _, r := range []Request{there, here, there} {
				if !s.read(r, Timing{}) {
					spoilt++
				}
			}
			if spoilt > 1 {
				t.Errorf("it cost %d polls", spoilt)
			}
		})
	}
}

// Registers of other addresses that hold the same are believed, after a second look
// with another length.
func TestRegistersThatAreAlikeAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, numbered(t, 1))
		for range 3 {
			for _, address := range []int{100, 110, 120} { // discrete inputs of a numbered slave alternate
				words, err := r.read(1, profile.Discrete, address, 8)
				if err != nil || !slices.Equal(words, []uint16{0, 1, 0, 1, 0, 1, 0, 1}) {
					t.Fatalf("got %v, %v", words, err)
				}
			}
			<-time.After(2 * repeatable)
		}
		if c := r.Counters(); c.Resyncs != 2 || c.Requests != 11 {
			t.Errorf("counted %+v; only what was new should be doubted", c)
		}
	})
}

// A device of which all is zero is read too, whatever is read of it.
func TestADeviceThatHoldsOnlyZerosIsRead(t *testing.T) {
	for _, sparse := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, err := simulator.NewSlave(profile.Profile{ID: "zeros"}, 1)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				for k := range 4 {
					s.SetWords(profile.Holding, 5*i+k, 0)
				}
				if !sparse {
					s.SetWords(profile.Holding, 5*i+4, 0)
				}
			}
			r := newRig(t, Options{}, s)
			for range 5 {
				for i := range 20 {
					if _, err := r.read(1, profile.Holding, 5*i, 4); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c := r.Counters(); c.Requests > 180 {
				t.Errorf("100 reads took %d requests", c.Requests)
			}
		})
	}
}

func TestForeignFramesAreNeverTheReply(t *testing.T) {
	foreign := map[string]func(s *staged, request []byte, sent time.Time) []byte{
		"another slave's reply": func(s *staged, request []byte, sent time.Time) []byte {
			body := slices.Clone(s.body(request))
			body[0]++
			return s.answer(body, sent)
		},
		"a reply of another length": func(s *staged, request []byte, sent time.Time) []byte {
			body := slices.Clone(s.body(request))
			body[5] += 9
			return s.answer(body, sent)
		},
		"another master's request and its reply": func(s *staged, request []byte, sent time.Time) []byte {
			body := slices.Clone(s.body(request))
			body[3] += 50
			return slices.Concat(s.adversary.wrap(body), s.answer(body, sent))
		},
		"a spoilt request and its reply": func(s *staged, request []byte, sent time.Time) []byte {
			body := slices.Clone(s.body(request))
			body[3] += 50
			spoilt := s.adversary.wrap(body)
			spoilt[3] ^= 0x20
			return slices.Concat(spoilt, s.answer(body, sent))
		},
	}
	for name, speak := range foreign {
		for _, instead := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				onStage(t, func(s *staged, request []byte, sent time.Time) {
					if len(s.asked) > 1 {
						s.honest(request, sent)
						return
					}
					end := s.send(sent.Add(5*time.Millisecond), speak(s, request, sent))
					if !instead {
						s.send(end.Add(5*time.Millisecond), s.answer(s.body(request), sent))
					}
				}, func(t *testing.T, s *staged) {
					s.read(here, Timing{})
					s.want(there)
					s.want(here)
				})
			})
		}
	}
}

// A refusal does not say what it refuses.
func TestALateRefusalRefusesNothingElse(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if len(s.asked) == 1 {
			body := s.body(request)
			s.later(sent.Add(stageTimeout+60*time.Millisecond), s.wrap([]byte{body[0], body[1] | 0x80, IllegalAddress}))
			return
		}
		if len(s.asked) > 2 {
			s.honest(request, sent)
		}
	}, func(t *testing.T, s *staged) {
		s.fails(here, ErrTimeout)
		longer := there
		longer.Quantity = 20
		s.fails(longer, ErrGarbled) // the refusal came while its reply was waited for
		s.want(longer)
		s.want(here)
	})
}

// A slave that has nothing but what is asked for refuses to give more. It is asked
// for that a few times, and then its answers are taken in their order.
func TestASlaveThatGivesNoMoreIsReadInOrder(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if len(s.asked) == 1 {
			s.later(sent.Add(stageTimeout+50*time.Millisecond), s.answer(s.body(request), sent))
			return
		}
		s.honest(request, sent)
	}, func(t *testing.T, s *staged) {
		s.sparse, s.polled = map[byte]bool{1: true}, map[Request]bool{here: true, there: true}
		s.fails(here, ErrTimeout)
		s.read(there, Timing{}) // the late one may spoil it
		for range 5 {
			s.want(here)
			s.want(there)
		}
		refused := 0
		for _, body := range s.asked {
			if !s.polled[Request{body[0], profile.Holding, uint16(body[2])<<8 | uint16(body[3]), uint16(body[4])<<8 | uint16(body[5])}] {
				refused++
			}
		}
		if c := s.master.Counters(); refused > 8 || c.Exceptions != 0 {
			t.Errorf("%d requests for what there is not, counted %+v", refused, c)
		}
	})
}

func TestNoMoreIsReadThanTheModelStands(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if len(s.asked) == 1 {
			return
		}
		s.honest(request, sent)
	}, func(t *testing.T, s *staged) {
		s.fails(here, ErrTimeout)
		terms := Terms{
			Limits: profile.Limits{Registers: 8, Forbidden: []profile.Range{{Table: profile.Holding, From: 14, To: 14}}},
			Cuts:   map[Cut]bool{{profile.Holding, 10}: true},
		}
		if !s.read(here, Timing{Allow: terms.Allows}) {
			t.Fatal("it was not read")
		}
		for _, body := range s.asked {
			if from, n := int(body[3]), int(body[5]); from < 10 || from+n > 14 {
				t.Errorf("%d+%d was read", from, n)
			}
		}
	})
}

func TestThePaceLearnsHowLateTheSlaveIs(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		if len(s.asked) == 1 {
			s.later(sent.Add(900*time.Millisecond), s.answer(s.body(request), sent))
			return
		}
		s.honest(request, sent)
	}, func(t *testing.T, s *staged) {
		pace := bus.NewPace(20*time.Millisecond, stageTimeout)
		if s.read(here, Timing{Pace: pace}) {
			t.Fatal("it was not late")
		}
		<-time.After(time.Second)
		if !s.read(here, Timing{Pace: pace}) {
			t.Fatal("it was not read")
		}
		if got := pace.Window(); got < 900*time.Millisecond || got > 1500*time.Millisecond {
			t.Errorf("the next late reply is looked for within %s of the timeout", got)
		}
	})
}

func TestAskedLaterIsNoRefusal(t *testing.T) {
	for code, later := range map[byte]bool{Acknowledge: true, Busy: true, IllegalAddress: false, TargetSilent: false, 0x1A: false} {
		if got := (Exception{code}).Later(); got != later {
			t.Errorf("%v: later %v", Exception{code}, got)
		}
	}
	for code, unreached := range map[byte]bool{PathUnavailable: true, TargetSilent: true, Busy: false, IllegalFunction: false} {
		if got := (Exception{code}).Unreached(); got != unreached {
			t.Errorf("%v: unreached %v", Exception{code}, got)
		}
	}
}
