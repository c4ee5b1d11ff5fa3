package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/goburrow/modbus"

	"gengfu/devices/line"
	gengfu "gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/facility"
	"gengfu/gateway/bench/figure"
)

const (
	sockets   = 200
	registers = 60
	floats    = registers / 2 // values of a request: 32-bit floats, as meters have them
)

// shown is what the simulated meter shows in its float of this number.
func shown(i int) float32 { return 230.5 + float32(i)/8 }

// floatWords are the registers of the simulated meter.
func floatWords(n int) []uint16 {
	var words []uint16
	for i := range n {
		bits := math.Float32bits(shown(i))
		words = append(words, uint16(bits>>16), uint16(bits))
	}
	return words
}

// socket is one connection that is polled: it reads the registers and decodes them.
type socket interface {
	poll(values []float64) error
	Close() error
}

var socketKinds = []struct {
	name string
	dial func(ctx context.Context, address string) (socket, error)
}{
	{"gengfu", dialGengfu},
	{"goburrow", dialGoburrow},
	{"raw socket", dialRaw},
}

// measureTCP polls many sockets at once, as fast as they go.
func measureTCP(ctx context.Context, far *far, p plan, out io.Writer) ([]figure.Figure, error) {
	l, err := far.tell(order{TCP: true, Slaves: []slaveOrder{{Address: 1, Floats: floats}}})
	if err != nil {
		return nil, err
	}
	costs := map[string][]cost{}
	for range p.windows {
		for _, kind := range socketKinds {
			c, err := pollAll(ctx, p.window, func() (socket, error) { return kind.dial(ctx, l.Path) })
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind.name, err)
			}
			costs[kind.name] = append(costs[kind.name], c)
		}
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "Modbus TCP, %d connections, %d registers a request\tvalues per CPU second\tCPU seconds per million registers\tallocations per poll\tpolls per second\n", sockets, registers)
	var ours cost
	for _, kind := range socketKinds {
		c := median(costs[kind.name])
		fmt.Fprintf(table, "%s\t%.0f\t%.3f\t%.1f\t%.0f\n", kind.name, c.values(), c.perMillion(), c.allocations, c.rate)
		if kind.name == "gengfu" {
			ours = c
		}
	}
	if err := table.Flush(); err != nil {
		return nil, err
	}
	return []figure.Figure{
		figure.AtLeast("tcp_values_per_cpu_second", ours.values(), "/s", 1e6, 0, "32-bit floats, of two registers each"),
		figure.AtMost("tcp_cpu_per_million_registers", ours.perMillion(), "s", 0.45, 3, ""),
		figure.AtMost("tcp_allocations_per_poll", ours.allocations, "mallocs", 4, 1, ""),
	}, nil
}

// cost is what a poll took.
type cost struct {
	cpu         time.Duration
	allocations float64
	rate        float64 // polls per second
}

func (c cost) values() float64     { return floats / c.cpu.Seconds() }
func (c cost) perMillion() float64 { return c.cpu.Seconds() / registers * 1e6 }

func median(costs []cost) cost {
	var cpu, allocations, rate []float64
	for _, c := range costs {
		cpu = append(cpu, float64(c.cpu))
		allocations = append(allocations, c.allocations)
		rate = append(rate, c.rate)
	}
	return cost{time.Duration(figure.Quantile(cpu, 0.5)), figure.Quantile(allocations, 0.5), figure.Quantile(rate, 0.5)}
}

// pollAll polls the sockets for a while, each in a goroutine of its own.
func pollAll(ctx context.Context, d time.Duration, dial func() (socket, error)) (c cost, err error) {
	all := make([]socket, 0, sockets)
	defer func() {
		for _, s := range all {
			err = errors.Join(err, s.Close())
		}
	}()
	for range sockets {
		s, err := dial()
		if err != nil {
			return c, err
		}
		all = append(all, s)
		if err := s.poll(make([]float64, floats)); err != nil { // what a connection makes once
			return c, err
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began, used := time.Now(), processorTime()
	polls, err := pollUntil(ctx, all, began.Add(d))
	took := time.Since(began)
	cpu := processorTime() - used
	runtime.ReadMemStats(&after)
	if err != nil {
		return c, err
	}
	return cost{
		cpu:         cpu / time.Duration(polls),
		allocations: float64(after.Mallocs-before.Mallocs) / float64(polls),
		rate:        float64(polls) / took.Seconds(),
	}, nil
}

func pollUntil(ctx context.Context, all []socket, end time.Time) (polls int, err error) {
	counts, errs := make([]int, len(all)), make([]error, len(all))
	var running sync.WaitGroup
	for i, s := range all {
		running.Go(func() {
			values := make([]float64, floats)
			for time.Now().Before(end) && ctx.Err() == nil && errs[i] == nil {
				errs[i] = s.poll(values)
				if got := values[i%floats]; errs[i] == nil && got != float64(shown(i%floats)) {
					errs[i] = fmt.Errorf("float %d is %g instead of %g", i%floats, got, shown(i%floats))
				}
				counts[i]++
			}
		})
	}
	running.Wait()
	for _, n := range counts {
		polls += n
	}
	return polls, errors.Join(append(errs, ctx.Err())...)
}

type ourSocket struct {
	ctx    context.Context
	conn   *line.Conn
	master *gengfu.Master
	points [floats]profile.Point
	words  [registers]uint16
}

func dialGengfu(ctx context.Context, address string) (socket, error) {
	conn, err := line.DialTCP(ctx, line.TCP{Address: address})
	if err != nil {
		return nil, err
	}
	s := &ourSocket{ctx: ctx, conn: conn, master: gengfu.NewMaster(gengfu.Options{Framing: gengfu.TCP, Timeout: patience})}
	s.master.Attach(conn)
	for i := range s.points {
		s.points[i] = profile.Point{Table: profile.Holding, Address: 2 * i, Type: profile.F32}
	}
	return s, nil
}

func (s *ourSocket) poll(values []float64) error {
	r := gengfu.Request{Unit: 1, Table: profile.Holding, Quantity: registers}
	if err := s.master.ReadInto(s.ctx, r, gengfu.Timing{}, s.words[:]); err != nil {
		return err
	}
	for i, p := range s.points {
		value, quality, reason := p.Decode(s.words[2*i : 2*i+2])
		if quality != facility.Good {
			return fmt.Errorf("float %d: %s", i, reason)
		}
		values[i] = value
	}
	return nil
}

func (s *ourSocket) Close() error { return s.conn.Close() }

type goburrowSocket struct {
	*modbus.TCPClientHandler
	client modbus.Client
}

func dialGoburrow(_ context.Context, address string) (socket, error) {
	h := modbus.NewTCPClientHandler(address)
	h.SlaveId, h.Timeout = 1, patience
	if err := h.Connect(); err != nil {
		return nil, fmt.Errorf("goburrow: %w", err)
	}
	return &goburrowSocket{h, modbus.NewClient(h)}, nil
}

func (s *goburrowSocket) poll(values []float64) error {
	data, err := s.client.ReadHoldingRegisters(0, registers)
	if err != nil {
		return err
	}
	decodeFloats(values, data)
	return nil
}

// rawSocket is what a program could do at best that knew nothing else.
type rawSocket struct {
	net.Conn
	request [12]byte
	reply   [9 + 2*registers]byte
}

func dialRaw(ctx context.Context, address string) (socket, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &rawSocket{Conn: c, request: [12]byte{5: 6, 6: 1, 7: 3, 11: registers}}, nil
}

func (s *rawSocket) poll(values []float64) error {
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := s.Write(s.request[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.Conn, s.reply[:]); err != nil {
		return err
	}
	decodeFloats(values, s.reply[9:])
	return nil
}

func decodeFloats(values []float64, data []byte) {
	for i := range values {
		values[i] = float64(math.Float32frombits(binary.BigEndian.Uint32(data[4*i:])))
	}
}
