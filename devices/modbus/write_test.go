package modbus

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/profile"
)

func TestWritesArePackedAsPublished(t *testing.T) {
	cases := []struct {
		name, request, reply string
		w                    WriteRequest
	}{
		{
			"SDM320Y manual, a float", "01 10 00 16 00 02 04 3F 80 00 00 7F 75", "01 10 00 16 00 02 A0 0C",
			WriteRequest{Unit: 1, Table: profile.Holding, Address: 0x16, Words: []uint16{0x3F80, 0}},
		},
		{
			"PortDock, one register", "02 06 23 29 00 0D 92 70", "02 06 23 29 00 0D 92 70",
			WriteRequest{Unit: 2, Table: profile.Holding, Address: 0x2329, Words: []uint16{13}},
		},
		{
			"PortDock, two registers", "02 10 23 29 00 02 04 00 14 00 1E 73 A4", "02 10 23 29 00 02 9B B7",
			WriteRequest{Unit: 2, Table: profile.Holding, Address: 0x2329, Words: []uint16{20, 30}},
		},
		{
			"Simphoenix E500, run at 40 Hz", "01 10 10 01 00 02 04 00 01 01 90 AF 9F", "01 10 10 01 00 02 14 C8",
			WriteRequest{Unit: 1, Table: profile.Holding, Address: 0x1001, Words: []uint16{1, 400}},
		},
		{
			"one register by the function for many", "01 10 00 16 00 01 02 00 07 E5 64", "01 10 00 16 00 01 E0 0D",
			WriteRequest{Unit: 1, Table: profile.Holding, Address: 0x16, Words: []uint16{7}, Multiple: true},
		},
		{
			"Modbus specification, coil 173 on", "11 05 00 AC FF 00 4E 8B", "11 05 00 AC FF 00 4E 8B",
			WriteRequest{Unit: 0x11, Table: profile.Coil, Address: 0xAC, Words: []uint16{1}},
		},
		{
			"Modbus specification, ten coils", "11 0F 00 13 00 0A 02 CD 01 BF 0B", "11 0F 00 13 00 0A 26 99",
			WriteRequest{Unit: 0x11, Table: profile.Coil, Address: 0x13, Words: []uint16{1, 0, 1, 1, 0, 0, 1, 1, 1, 0}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stage(t, RTU, func(s *staged, request []byte, sent time.Time) {
					if request[1] < writeCoil { // whether the slave is there at all
						s.honest(request, sent)
						return
					}
					if !bytes.Equal(request, unhex(t, c.request)) {
						t.Errorf("sent % X, want %s", request, c.request)
					}
					s.send(sent.Add(5*time.Millisecond), unhex(t, c.reply))
				})
				if err := s.master.Write(t.Context(), c.w, Timing{}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRefusesAWriteThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, RTU, func(*staged, []byte, time.Time) { t.Error("something was sent") })
		for _, w := range []WriteRequest{
			{0, profile.Holding, 1, []uint16{1}, false},
			{1, profile.Input, 1, []uint16{1}, false},
			{1, profile.Discrete, 1, []uint16{1}, false},
			{1, profile.Holding, 1, nil, false},
			{1, profile.Holding, 1, make([]uint16, 124), false},
			{1, profile.Coil, 1, make([]uint16, 1969), false},
			{1, profile.Coil, 1, []uint16{2}, false},
			{1, profile.Holding, 0xFFFF, []uint16{1, 2}, false},
		} {
			if err := s.master.Write(t.Context(), w, Timing{}); err == nil || errors.Is(err, ErrUnconfirmed) {
				t.Errorf("%v: %v", w, err)
			}
		}
	})
}

// one is a write of one register, and many of two.
var (
	one  = WriteRequest{Unit: 1, Table: profile.Holding, Address: 5, Words: []uint16{0x1234}}
	many = WriteRequest{Unit: 1, Table: profile.Holding, Address: 5, Words: []uint16{1, 2}}
)

func TestAWriteIsConfirmedOrNotAndNeverSentTwice(t *testing.T) {
	refusal := func(code byte) func(s *staged, body []byte) []byte {
		return func(s *staged, body []byte) []byte { return s.wrap([]byte{body[0], body[1] | 0x80, code}) }
	}
	changed := func(i int) func(s *staged, body []byte) []byte {
		return func(s *staged, body []byte) []byte {
			body = slices.Clone(body[:writeBody])
			body[i]++
			return s.wrap(body)
		}
	}
	cases := []struct {
		name  string
		reply func(s *staged, body []byte) []byte
		want  error
	}{
		{"confirmed", func(s *staged, body []byte) []byte { return s.wrap(body[:writeBody]) }, nil},
		{"refused", refusal(IllegalValue), Exception{Code: IllegalValue}},
		{"busy", refusal(Busy), Exception{Code: Busy}},
		{"not reached", refusal(PathUnavailable), Exception{Code: PathUnavailable}},
		{"acknowledged, not done", refusal(Acknowledge), ErrUnconfirmed},
		{"lost behind a gateway", refusal(TargetSilent), ErrUnconfirmed},
		{"lost", func(*staged, []byte) []byte { return nil }, ErrUnconfirmed},
		{"another address", changed(3), ErrUnconfirmed},
		{"another value", changed(5), ErrUnconfirmed},
		{"another slave", changed(0), ErrUnconfirmed},
		{"another function", changed(1), ErrUnconfirmed},
		{"cut", func(s *staged, body []byte) []byte { return s.wrap(body[:writeBody])[:5] }, ErrUnconfirmed},
		{"corrupt", func(s *staged, body []byte) []byte {
			frame := s.wrap(body[:writeBody])
			frame[4] ^= 0x01
			return frame
		}, ErrUnconfirmed},
	}
	for _, framing := range []Framing{RTU, ASCII, TCP} {
		for _, w := range []WriteRequest{one, many} {
			for _, c := range cases {
				if framing == TCP && (c.name == "another slave" || c.name == "cut" || c.name == "corrupt") {
					continue // a gateway has its own unit, and the rest TCP sees to
				}
				t.Run(names[framing]+"/"+c.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						writes := 0
						s := stage(t, framing, func(s *staged, request []byte, sent time.Time) {
							body := s.body(request)
							if body[1] < writeCoil {
								s.send(sent.Add(5*time.Millisecond), s.answer(body, sent))
								return
							}
							writes++
							if reply := c.reply(s, body); reply != nil {
								s.send(sent.Add(5*time.Millisecond), reply)
							}
						})
						err := s.master.Write(t.Context(), w, Timing{})
						if !errors.Is(err, c.want) || errors.Is(err, ErrUnconfirmed) != errors.Is(c.want, ErrUnconfirmed) {
							t.Errorf("got %v, want %v", err, c.want)
						}
						if writes != 1 {
							t.Errorf("it was written %d times", writes)
						}
					})
				})
			}
		}
	}
}

// The confirmation of a write that was given up comes when the same is written
// again, with other values: it is not taken for the new one's.
func TestALateConfirmationConfirmsNothing(t *testing.T) {
	for _, framing := range []Framing{RTU, ASCII} {
		synctest.Test(t, func(t *testing.T) {
			writes := 0
			s := stage(t, framing, func(s *staged, request []byte, sent time.Time) {
				body := s.body(request)
				switch {
				case body[1] < writeCoil:
					s.send(sent.Add(5*time.Millisecond), s.answer(body, sent))
				case writes == 0:
					writes++
					s.later(sent.Add(stageTimeout+20*time.Millisecond), s.wrap(body[:writeBody]))
				default:
					writes++
				}
			})
			if err := s.master.Write(t.Context(), many, Timing{}); !errors.Is(err, ErrUnconfirmed) {
				t.Fatal(err)
			}
			if err := s.master.Write(t.Context(), many, Timing{}); !errors.Is(err, ErrUnconfirmed) {
				t.Errorf("the second write: %v", err)
			}
			if writes != 2 {
				t.Errorf("%d writes", writes)
			}
		})
	}
}

// A slave that is away is not written to when it is unknown what its line does, and
// the error says that nothing was.
func TestASlaveThatIsAwayIsNotWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(t, RTU, func(s *staged, request []byte, _ time.Time) {
			if request[1] >= writeCoil {
				t.Error("it was written")
			}
		})
		err := s.master.Write(t.Context(), one, Timing{})
		if err == nil || errors.Is(err, ErrUnconfirmed) || !strings.Contains(err.Error(), "nothing was written") {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.master.Write(ctx, one, Timing{}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnconfirmed) {
			t.Errorf("got %v", err)
		}
	})
}

// On a line with echo each write comes back once from the adapter. That is no
// confirmation.
func TestTheEchoOfAWriteConfirmsNothing(t *testing.T) {
	for _, framing := range []Framing{RTU, ASCII} {
		synctest.Test(t, func(t *testing.T) {
			s := stage(t, framing, func(s *staged, request []byte, sent time.Time) {
				s.send(time.Now(), request)
				if body := s.body(request); body[1] < writeCoil {
					s.send(sent.Add(5*time.Millisecond), s.answer(body, sent))
				}
			})
			if err := s.master.Write(t.Context(), one, Timing{}); !errors.Is(err, ErrUnconfirmed) {
				t.Errorf("got %v", err)
			}
		})
	}
}
