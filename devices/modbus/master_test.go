package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/line/linetest"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

var wire9600 = bus.Wire{Character: line.Serial{}.Character(), Gap: 10 * time.Millisecond}

// numbered is a slave whose registers hold their own addresses.
func numbered(t *testing.T, address int) *simulator.Slave {
	t.Helper()
	s, err := simulator.NewSlave(profile.Profile{ID: "numbered"}, address)
	if err != nil {
		t.Fatal(err)
	}
	for a := range 200 {
		s.SetWords(profile.Holding, a, uint16(a))
		s.SetWords(profile.Input, a, uint16(1000+a))
		s.SetWords(profile.Coil, a, uint16(a%3&1))
		s.SetWords(profile.Discrete, a, uint16(a%2))
	}
	return s
}

// rig is a master and slaves on a line in memory with the timing of 9600 baud.
type rig struct {
	*Master
	t   *testing.T
	ctx context.Context
}

func newRig(t *testing.T, opts Options, slaves ...*simulator.Slave) rig {
	t.Helper()
	m, s := linetest.Pair()
	far, err := simulator.NewBus(s, simulator.Wire{Baud: 9600, Turnaround: 5 * time.Millisecond}, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
	return attach(t, opts, m)
}

func attach(t *testing.T, opts Options, conn bus.Conn) rig {
	if opts.Timeout == 0 {
		opts.Timeout = 200 * time.Millisecond
	}
	opts.Wait = linetest.Wait
	if opts.Framing == RTU {
		if opts.Bus == nil {
			opts.Bus = bus.New(bus.Options{Wire: wire9600, Wait: linetest.Wait, Trace: opts.Trace})
		}
		opts.Bus.Attach(conn)
	}
	r := rig{Master: NewMaster(opts), t: t, ctx: t.Context()}
	r.Attach(conn)
	r.acquainted()
	return r
}

func (r rig) read(unit byte, table profile.Table, address, quantity int) ([]uint16, error) {
	return r.Read(r.ctx, Request{Unit: unit, Table: table, Address: uint16(address), Quantity: uint16(quantity)}, Timing{})
}

// want reads registers of a numbered slave and compares every one.
func (r rig) want(unit byte, address, quantity int) {
	r.t.Helper()
	words, err := r.read(unit, profile.Holding, address, quantity)
	if err != nil {
		r.t.Fatalf("read %d+%d: %v", address, quantity, err)
	}
	for i, w := range words {
		if int(w) != address+i {
			r.t.Fatalf("register %d holds the value of register %d", address+i, w)
		}
	}
}

func (r rig) fails(with error, unit byte, address, quantity int) {
	r.t.Helper()
	if words, err := r.read(unit, profile.Holding, address, quantity); !errors.Is(err, with) {
		r.t.Fatalf("read %d+%d: %v, %v; want %v", address, quantity, words, err, with)
	}
}

func TestReadsEveryTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, numbered(t, 7))
		for table, want := range map[profile.Table][]uint16{
			profile.Holding: {3, 4, 5}, profile.Input: {1003, 1004, 1005},
			profile.Coil: {0, 1, 0}, profile.Discrete: {1, 0, 1},
		} {
			got, err := r.read(7, table, 3, 3)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: got %v, %v; want %v", table, got, err, want)
			}
		}
		r.want(7, 0, 125)
	})
}

func TestRefusesARequestThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		for _, bad := range []Request{
			{1, profile.Holding, 0, 0},
			{1, profile.Holding, 0, 126},
			{1, profile.Coil, 0, 2001},
			{1, profile.Input, 65535, 2},
			{1, "elsewhere", 0, 1},
		} {
			if _, err := r.Read(t.Context(), bad, Timing{}); err == nil {
				t.Errorf("%v was sent", bad)
			}
		}
		if n := r.Counters().Requests; n != 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
}

func TestTakesAsLongAsTheWireDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, numbered(t, 1))
		r.want(1, 0, 1)
		start := time.Now()
		r.want(1, 0, 60)
		// Both frames, the slave's 5 ms and a gap of 10 ms.
		least := wire9600.Of(8+125) + 15*time.Millisecond
		if took := time.Since(start); took < least || took > least+5*time.Millisecond {
			t.Errorf("60 registers took %s, the wire takes %s", took, least)
		}
	})
}

func TestAnExceptionIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(t, 1)
		r := newRig(t, Options{}, s)
		r.fails(Exception{Code: IllegalAddress}, 1, 300, 2)
		s.SetFault(simulator.Fault{Kind: simulator.Exception, Code: 0x1A, Times: 1})
		r.fails(Exception{Code: 0x1A}, 1, 0, 1)
		r.want(1, 0, 4)
		if c := r.Counters(); c.Exceptions != 2 || c.Timeouts != 0 || c.Resyncs != 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestReadsAReplyInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(t, 1)
		r := newRig(t, Options{}, s)
		s.SetFault(simulator.Fault{Kind: simulator.Split, Delay: 60 * time.Millisecond})
		r.want(1, 10, 20)
		r.fails(Exception{Code: IllegalAddress}, 1, 300, 2)
		r.want(1, 11, 20)
	})
}

func TestOneBadReplyIsOneError(t *testing.T) {
	for _, kind := range []simulator.FaultKind{simulator.Corrupt, simulator.Truncated} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := numbered(t, 1)
				r := newRig(t, Options{}, s)
				r.want(1, 0, 2)
				s.SetFault(simulator.Fault{Kind: kind, Times: 1})
				r.fails(ErrGarbled, 1, 10, 2)
				r.want(1, 20, 2)
				r.want(1, 30, 2)
				if c := r.Counters(); c.Garbled != 1 || c.Timeouts != 0 {
					t.Errorf("counted %+v", c)
				}
			})
		})
	}
}

func TestGivesUpEarlyOnAWrongCRC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(t, 1)
		r := newRig(t, Options{Timeout: 5 * time.Second}, s)
		s.SetFault(simulator.Fault{Kind: simulator.Corrupt, Times: 1})
		start := time.Now()
		r.fails(ErrGarbled, 1, 10, 2)
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("it waited %s for a reply that had come", took)
		}
	})
}

// A reply that comes after the timeout, once, while the simulated slave answers
// later requests at once: the reply even overtakes.
func TestALateReplyIsNeverBookedToAnotherRegister(t *testing.T) {
	for _, delay := range []time.Duration{210, 250, 300, 400, 500, 590} {
		t.Run((delay * time.Millisecond).String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := numbered(t, 1)
				r := newRig(t, Options{}, s)
				r.want(1, 10, 2)
				s.SetFault(simulator.Fault{Kind: simulator.Slow, Delay: delay * time.Millisecond, Times: 1})
				r.fails(ErrTimeout, 1, 100, 2)
				for a := range 50 {
					r.want(1, a, 2)
				}
			})
		})
	}
}

// serialSlave answers one request after the other, each so late as delay says,
// like a slave behind a serial server that buffers.
func serialSlave(t *testing.T, port io.ReadWriteCloser, delay func() time.Duration) {
	t.Helper()
	done := make(chan struct{})
	type work struct {
		due     time.Time
		request []byte
	}
	queue := make(chan work, 1000)
	go func() {
		defer close(queue)
		var held []byte
		for buf := make([]byte, 256); ; {
			n, err := port.Read(buf)
			if err != nil {
				return
			}
			for held = append(held, buf[:n]...); len(held) >= 8; held = held[8:] {
				queue <- work{time.Now().Add(delay()), slices.Clone(held[:8])}
			}
		}
	}()
	go func() {
		defer close(done)
		for w := range queue {
			_ = linetest.Wait(context.Background(), w.due)
			_, _ = port.Write(numberedReply(w.request)) // a closed line ends the other goroutine
		}
	}()
	t.Cleanup(func() {
		_ = port.Close()
		<-done
	})
}

func numberedReply(request []byte) []byte {
	address, quantity := binary.BigEndian.Uint16(request[2:]), binary.BigEndian.Uint16(request[4:])
	reply := []byte{request[0], request[1], byte(2 * quantity)}
	for i := range quantity {
		reply = binary.BigEndian.AppendUint16(reply, address+i)
	}
	return binary.LittleEndian.AppendUint16(reply, crc16(reply))
}

// The same with any number of replies outstanding, as late as they like: whatever
// is returned is the value of the register that was asked for.
func TestNoReplyHoweverLateIsBookedToAnotherRegister(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random, lag := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			var healthy atomic.Bool
			m, s := linetest.Pair()
			serialSlave(t, s, func() time.Duration {
				if healthy.Load() || lag.IntN(25) > 0 {
					return 20 * time.Millisecond
				}
				return time.Duration(lag.IntN(8000)) * time.Millisecond
			})
			r := attach(t, Options{}, m)
			answered := 0
			for range 300 {
				address, quantity := random.IntN(100), 1+random.IntN(2)
				words, err := r.read(1, profile.Holding, address, quantity)
				if err != nil {
					continue
				}
				answered++
				for i, w := range words {
					if int(w) != address+i {
						t.Fatalf("register %d was given the value of register %d", address+i, w)
					}
				}
			}
			if answered == 0 {
				t.Fatal("nothing was ever read")
			}
			healthy.Store(true)
			_ = linetest.Wait(t.Context(), time.Now().Add(lateness+10*time.Second))
			for a := range 5 {
				r.want(1, a, 2)
			}
		})
	}
}

func TestASilentSlaveCostsOneTimeoutAndTheNextIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := numbered(t, 1)
		dead.SetFault(simulator.Fault{Kind: simulator.Silent})
		r := newRig(t, Options{}, dead, numbered(t, 2))
		r.want(2, 0, 2)
		start := time.Now()
		r.fails(ErrTimeout, 1, 0, 2)
		r.want(2, 0, 2)
		if took := time.Since(start); took > 350*time.Millisecond {
			t.Errorf("it took %s, the timeout is 200 ms", took)
		}
	})
}
