package bus

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestTheEchoIsDropped(t *testing.T) {
	reply := piece{19 * ms, "<good>"}
	cases := map[string][]piece{
		"none":                      {reply},
		"as it is sent":             {{8 * ms, request}, reply},
		"in pieces":                 {{3 * ms, "req"}, {6 * ms, "ues"}, {9 * ms, "t!"}, reply},
		"late":                      {{14 * ms, "requ"}, {18 * ms, "est!"}, {30 * ms, "<good>"}},
		"together with the reply":   {{19 * ms, request + "<good>"}},
		"a wrong byte":              {{8 * ms, "reqXest!"}, reply},
		"a wrong byte at the start": {{8 * ms, "<equest!"}, reply},
		"behind noise":              {{8 * ms, "~" + request}, reply},
		"twice":                     {{8 * ms, request}, {16 * ms, request}, {27 * ms, "<good>"}},
	}
	for _, mode := range []Echo{EchoAuto, EchoOn, EchoOff} {
		for name, pieces := range cases {
			t.Run(string(mode)+"/"+name, func(t *testing.T) {
				// Each way comes after each other way: the adapter is not always the same.
				for other, others := range cases {
					inWorld(t, Options{Echo: mode}, func(n int, _ string) []piece {
						if n%2 == 1 {
							return others
						}
						return pieces
					}, func(t *testing.T, w *world) {
						for range 4 {
							if got, err := w.ask(); got != "<good>" || err != nil {
								t.Fatalf("after %q: got %q, %v", other, got, err)
							}
						}
					})
				}
			})
		}
	}
}

// A request may be, byte for byte, what its reply could be.
func TestAnEchoThatLooksLikeTheReplyIsNone(t *testing.T) {
	inWorld(t, Options{}, func(int, string) []piece { return []piece{{6 * ms, "<echo>"}, {17 * ms, "<real>"}} }, func(t *testing.T, w *world) {
		for range 3 {
			if got, err := w.askAs(Ask{Frame: []byte("<echo>")}); got != "<real>" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
	})
}

// The reply to a write of one register is the request once more: on a line without
// echo one comes, on a line with echo two.
func TestAMirroredReplyIsToldFromTheEcho(t *testing.T) {
	write := Ask{Frame: []byte("<writ>"), Mirror: true}
	t.Run("without echo", func(t *testing.T) {
		inWorld(t, Options{}, func(_ int, sent string) []piece {
			if sent == request {
				return prompt("<read>")
			}
			return []piece{{17 * ms, "<writ>"}}
		}, func(t *testing.T, w *world) {
			w.want("<read>")
			if got, err := w.askAs(write); got != "<writ>" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	})
	t.Run("with echo", func(t *testing.T) {
		inWorld(t, Options{}, func(_ int, sent string) []piece {
			return []piece{{time.Duration(len(sent)) * ms, sent}, {20 * ms, strings.Replace(sent, request, "<read>", 1)}}
		}, func(t *testing.T, w *world) {
			w.want("<read>")
			if yes, known := w.Echoes(); !yes || !known {
				t.Error("the echo was not learned")
			}
			if got, err := w.askAs(write); got != "<writ>" || err != nil || time.Since(w.conn.sent[1]) != 20*ms {
				t.Errorf("got %q, %v after %s", got, err, time.Since(w.conn.sent[1]))
			}
		})
	})
	t.Run("with echo and no reply", func(t *testing.T) {
		for _, first := range []bool{true, false} { // whether the adapter echoed before too
			inWorld(t, Options{}, func(n int, sent string) []piece {
				if sent == request {
					return prompt(strings.Repeat(request, map[bool]int{true: 1}[first]) + "<read>")
				}
				return []piece{{6 * ms, sent}}
			}, func(t *testing.T, w *world) {
				w.trusting("<read>")
				if got, err := w.askAs(write); !errors.Is(err, ErrTimeout) {
					t.Errorf("the echo was taken for %q, %v", got, err)
				}
			})
		}
	})
}
