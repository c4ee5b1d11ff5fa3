package modbus

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"gengfu/devices/line"
	"gengfu/devices/profile"
)

// mbap is a frame with a reply for registers that hold their own addresses.
func mbap(request []byte, transaction uint16, unit byte) []byte {
	address, quantity := binary.BigEndian.Uint16(request[8:]), binary.BigEndian.Uint16(request[10:])
	frame := binary.BigEndian.AppendUint16(nil, transaction)
	frame = append(frame, 0, 0, 0, byte(3+2*quantity), unit, request[7], byte(2*quantity))
	for i := range quantity {
		frame = binary.BigEndian.AppendUint16(frame, address+i)
	}
	return frame
}

func transaction(request []byte) uint16 { return binary.BigEndian.Uint16(request) }

func TestReadsOverTCPInAnyPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{Framing: TCP}, func(request []byte) [][]byte {
			reply := mbap(request, transaction(request), request[6])
			cut := int(transaction(request)) % len(reply)
			return [][]byte{reply[:cut], reply[cut:]}
		})
		for a := range 40 {
			r.want(1, a, 1+a%3)
		}
		if got := r.Counters(); got.Requests != 40 || got.Timeouts+got.Garbled > 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

// Each reply comes after the next request, as behind a gateway that buffers; with
// goburrow's own transport every answer is then one behind for ever.
func TestALateReplyOverTCPIsDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late []byte
		n := 0
		r := talker(t, Options{Framing: TCP}, func(request []byte) [][]byte {
			n++
			reply := mbap(request, transaction(request), request[6])
			if n%2 == 1 {
				late = reply
				return nil
			}
			return [][]byte{slices.Concat(late, reply)}
		})
		for a := range 20 {
			r.fails(ErrTimeout, 1, 100+a, 2)
			r.want(1, a, 2)
		}
		if got := r.Counters(); got.Stale != 20 {
			t.Errorf("discarded %d stale replies, want 20", got.Stale)
		}
	})
}

func TestAReplyThatComesTwiceOverTCPIsDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{Framing: TCP}, func(q []byte) [][]byte {
			reply := mbap(q, transaction(q), q[6])
			return [][]byte{slices.Concat(reply, reply[:7]), reply[7:]}
		})
		for a := range 20 {
			r.want(1, 10*a, 2)
		}
		if got := r.Counters(); got.Stale < 18 || got.Timeouts+got.Garbled > 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestAStreamOutOfStepIsBroken(t *testing.T) {
	cases := []struct {
		name string
		say  func(request []byte) []byte
		tell string
	}{
		{"a transaction that was never asked", func(q []byte) []byte { return mbap(q, transaction(q)+1, 1) }, "transaction 2 answered"},
		{"another function", func(q []byte) []byte {
			f := mbap(q, transaction(q), 1)
			f[7] = 4
			return f
		}, "transaction 1 answered"},
		{"RTU frames", func([]byte) []byte { return []byte{1, 3, 4, 1, 0xF4, 0, 0x0B, 0xFB, 0xFA} }, "modbus-rtu"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := talker(t, Options{Framing: TCP}, func(q []byte) [][]byte { return [][]byte{c.say(q)} })
				_, err := r.read(1, profile.Holding, 0, 1)
				if !errors.Is(err, line.ErrBroken) || !strings.Contains(err.Error(), c.tell) {
					t.Errorf("got %v, want a broken line and %q", err, c.tell)
				}
			})
		})
	}
}

func TestAReplyOfTheWrongLengthIsGarbled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{Framing: TCP}, func(q []byte) [][]byte {
			short := slices.Clone(q)
			binary.BigEndian.PutUint16(short[10:], 1)
			return [][]byte{mbap(short, transaction(q), 1)}
		})
		r.fails(ErrGarbled, 1, 0, 2)
		r.want(1, 0, 1)
	})
}

func TestAGatewayWithAUnitOfItsOwnIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{Framing: TCP}, func(q []byte) [][]byte { return [][]byte{mbap(q, transaction(q), 0xFF)} })
		r.want(1, 5, 2)
		if got := r.Counters(); got.Units != 1 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestAnExceptionOverTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{Framing: TCP}, func(q []byte) [][]byte {
			return [][]byte{{q[0], q[1], 0, 0, 0, 3, q[6], q[7] | 0x80, TargetSilent}}
		})
		r.fails(Exception{Code: TargetSilent}, 1, 0, 1)
	})
}
