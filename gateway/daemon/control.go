package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gengfu/devices"
	"gengfu/devices/bus"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/devices/trace"
)

// ControlFile is the socket in the data folder on which a running gateway answers the
// commands of its own machine. Only the user that runs it may open it.
const ControlFile = "control.sock"

// What one who looks on may cost: exchanges that wait for a slow reader, and how long
// one write may take.
const (
	waitingMost  = 1024
	writeWithin  = 10 * time.Second
	requestBytes = 4096
)

// order is what a command asks for, one JSON object in a line. The answer is a refusal
// or a trace.Head, and then trace.Entry objects until either side hangs up.
type order struct {
	Trace string `json:"trace"` // id of a line
}

type refusal struct {
	Error string `json:"error"`
}

// field is what the control socket shows.
type field interface {
	Trace(line string, see func(bus.Exchange)) (stop func(), err error)
}

// control serves the socket.
type control struct {
	field    field
	lines    []devices.LineConfig
	models   map[string]profile.Profile // by device
	profiles map[string]string          // id of the profile, by device
	version  string
	path     string
	logger   *slog.Logger
}

func (d *daemon) control() *control {
	c := &control{
		field: d.field, lines: d.Config.Lines, version: d.Version, path: filepath.Join(d.Data, ControlFile),
		logger: d.Logger,
		models: map[string]profile.Profile{}, profiles: map[string]string{},
	}
	for _, dev := range d.Config.File.Devices {
		c.models[dev.ID], c.profiles[dev.ID] = d.Config.Profiles[dev.Profile], dev.Profile
	}
	return c
}

// run serves until ctx ends and everybody who looked on has gone. A gateway that
// cannot be looked at works all the same.
func (c *control) run(ctx context.Context) error {
	ln, err := c.listen(ctx)
	if err != nil {
		c.logger.Warn("gengfu trace will not reach this gateway", "error", err)
		<-ctx.Done()
		return ctx.Err()
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		<-ctx.Done()
		_ = ln.Close() // ends Accept, and removes the socket
	})
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("control socket: %w", err)
		}
		all.Go(func() { c.serve(ctx, conn) })
	}
}

func (c *control) listen(ctx context.Context) (net.Listener, error) {
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a gateway that was killed
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := listenUnix(ctx, c.path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return ln, nil
}

func (c *control) serve(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close() //nolint:errcheck // nobody is left to be told
	if conn.SetReadDeadline(time.Now().Add(writeWithin)) != nil {
		return
	}
	in := bufio.NewReaderSize(conn, requestBytes)
	text, err := in.ReadSlice('\n')
	if err != nil {
		return
	}
	out := &speaker{conn: conn, enc: json.NewEncoder(conn)}
	var o order
	if err := json.Unmarshal(text, &o); err != nil || o.Trace == "" {
		_ = out.say(refusal{"no order that this gateway knows"}) // it has gone then
		return
	}
	if conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	var gone sync.WaitGroup
	defer gone.Wait()
	gone.Go(func() { // one who looks on says nothing more, until he hangs up
		defer cancel()
		_, _ = in.ReadByte()
	})
	defer conn.Close() //nolint:errcheck // ends the reading above
	c.trace(ctx, out, o.Trace)
}

// speaker writes JSON lines to one who may be slow.
type speaker struct {
	conn net.Conn
	enc  *json.Encoder
}

func (s *speaker) say(v any) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return s.enc.Encode(v)
}

// trace sends the exchanges of a line. Those for which the reader is too slow are
// counted and left out: the line never waits.
func (c *control) trace(ctx context.Context, out *speaker, name string) {
	waiting := make(chan bus.Exchange, waitingMost)
	var lost atomic.Int64
	stop, err := c.field.Trace(name, func(x bus.Exchange) {
		select {
		case waiting <- x:
		default:
			lost.Add(1)
		}
	})
	if err != nil {
		_ = out.say(refusal{err.Error()}) // it has gone then
		return
	}
	defer stop()
	head := c.head(name)
	if out.say(head) != nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-waiting:
			e := c.entry(head.Protocol, x)
			e.Lost = int(lost.Swap(0))
			if out.say(e) != nil {
				return
			}
		}
	}
}

func (c *control) head(name string) trace.Head {
	h := trace.Head{Version: trace.Version, Line: name, Began: time.Now().UTC(), By: "gengfu " + c.version}
	for _, l := range c.lines {
		if l.ID != name {
			continue
		}
		h.Protocol = sniff.Protocol(l.Protocol)
		switch {
		case l.Serial != nil:
			s := l.Serial.WithDefaults()
			h.Port, h.Baud, h.Parity, h.DataBits, h.StopBits = s.Port, s.Baud, s.Parity, s.DataBits, s.StopBits
		case l.TCP != nil:
			h.Port, h.Baud = l.TCP.Address, l.TCP.Baud
		}
	}
	return h
}

func (c *control) entry(p sniff.Protocol, x bus.Exchange) trace.Entry {
	e := trace.Entry{At: x.At.UTC(), Request: x.Request, Reply: x.Reply, Took: x.Took, Device: x.Device, Profile: c.profiles[x.Device]}
	if x.Err != nil {
		e.Error = x.Err.Error()
		return e
	}
	model, ok := c.models[x.Device]
	if !ok {
		return e
	}
	for _, v := range sniff.Interpret(p, x.Request, x.Reply, &model).Values {
		e.Booked = append(e.Booked, trace.BookedOf(v))
	}
	return e
}

// Tracing is the look at a line of a running gateway. It belongs to one goroutine.
type Tracing struct {
	Head trace.Head
	conn net.Conn
	dec  *json.Decoder
	stop func() bool
}

// Trace begins to look at a line of the gateway that works in a data folder. It ends
// with the context.
func Trace(ctx context.Context, data, name string) (*Tracing, error) {
	path := filepath.Join(data, ControlFile)
	conn, err := dialUnix(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("no gateway runs in %s: start it with \"gengfu run\", or name its folder with --data (%w)", data, err)
	}
	t := &Tracing{conn: conn, dec: json.NewDecoder(conn)}
	t.stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends Next
	var first struct {
		trace.Head
		refusal
	}
	if err := json.NewEncoder(conn).Encode(order{Trace: name}); err != nil {
		return nil, errors.Join(fmt.Errorf("ask the gateway: %w", err), t.Close())
	}
	if err := t.dec.Decode(&first); err != nil {
		return nil, errors.Join(fmt.Errorf("ask the gateway: %w", err), t.Close())
	}
	if first.Error != "" {
		return nil, errors.Join(errors.New(first.Error), t.Close())
	}
	t.Head = first.Head
	return t, nil
}

// Next waits for the next exchange.
func (t *Tracing) Next() (trace.Entry, error) {
	var e trace.Entry
	err := t.dec.Decode(&e)
	return e, err
}

// Close ends the look.
func (t *Tracing) Close() error {
	t.stop()
	if err := t.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
