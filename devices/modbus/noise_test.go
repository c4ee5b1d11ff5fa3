package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/line/linetest"
	"gengfu/devices/profile"
)

// talker is a slave's end that a test scripts.
func talker(t *testing.T, opts Options, say func(request []byte) [][]byte) rig {
	t.Helper()
	m, s := linetest.Pair()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 256); ; {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			for _, part := range say(slices.Clone(buf[:n])) {
				_ = linetest.Wait(context.Background(), time.Now().Add(3*time.Millisecond))
				if _, err := s.Write(part); err != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return attach(t, opts, m)
}

func TestDropsTheEchoOfAnAdapter(t *testing.T) {
	for _, mode := range []bus.Echo{bus.EchoAuto, bus.EchoOn} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := talker(t, Options{Bus: bus.New(bus.Options{Wire: wire9600, Echo: mode, Wait: linetest.Wait})}, func(request []byte) [][]byte {
					reply := numberedReply(request)
					return [][]byte{request[:3], slices.Concat(request[3:], reply[:2]), reply[2:]}
				})
				for a := range 20 {
					r.want(1, a, 1+a%3)
				}
				if c := r.Counters(); c.Garbled+c.Timeouts > 0 {
					t.Errorf("counted %+v", c)
				}
			})
		})
	}
}

// The request for coils 0300+24 of slave 1 is, as an echo, a flawless reply with
// three bytes of coils.
func TestAnEchoThatLooksLikeAReplyIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{}, func(request []byte) [][]byte {
			reply := []byte{1, 1, 3, 0xAA, 0xBB, 0xCC}
			return [][]byte{request, binary.LittleEndian.AppendUint16(reply, crc16(reply))}
		})
		words, err := r.read(1, profile.Coil, 0x0300, 24)
		if err != nil {
			t.Fatal(err)
		}
		var first byte
		for i, w := range words[:8] {
			first |= byte(w) << i
		}
		if first != 0xAA {
			t.Errorf("the coils begin %02X, want AA", first)
		}
	})
}

func TestSkipsNoiseAndForeignFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := [][]byte{
			{0x00},
			{0xFF, 0xFF},
			{0x01},
			{0x01, 0x03},
			unhex(t, "11 03 06 AE 41 56 52 43 40 49 AD"), // another slave's
			unhex(t, "01 03 06 00 00 00 00 00 00 21 75"), // ours, of another length
		}
		i := 0
		r := talker(t, Options{}, func(request []byte) [][]byte {
			i++
			return [][]byte{before[i%len(before)], numberedReply(request)}
		})
		for a := range 12 {
			r.want(1, a, 2)
		}
		if c := r.Counters(); c.Garbled+c.Timeouts > 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestALineThatIsNeverQuietIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := linetest.Pair()
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_, _ = s.Write([]byte{0x55})
				case <-stop:
					return
				}
			}
		}()
		defer func() { close(stop); <-done }()
		r := attach(t, Options{}, m)
		r.fails(ErrGarbled, 1, 0, 1)
	})
}

func TestTheContextEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := talker(t, Options{Timeout: 30 * time.Second}, func([]byte) [][]byte { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := r.Read(ctx, Request{1, profile.Holding, 0, 1}, Timing{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
	})
}

func TestABrokenLineIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := linetest.Pair()
		r := attach(t, Options{}, m)
		_ = s.Close()
		r.fails(line.ErrBroken, 1, 0, 1)
	})
}

func TestTraceShowsTheBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []bus.Exchange
		r := newRig(t, Options{Trace: func(x bus.Exchange) { seen = append(seen, x) }}, numbered(t, 0x11))
		r.want(0x11, 0x6B, 3)
		if len(seen) != 1 || !slices.Equal(seen[0].Request, unhex(t, "11 03 00 6B 00 03 76 87")) ||
			len(seen[0].Reply) != 11 || seen[0].Took == 0 || seen[0].Err != nil {
			t.Errorf("saw %+v", seen)
		}
	})
}
