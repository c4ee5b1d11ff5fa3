package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/gateway/config"
)

// far is the other end of the simulated lines. It is a process of its own, so that
// what the masters cost can be told from what the devices cost.
type far struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	replies *json.Decoder
}

// order is what the far end is told to do. The zero fields are left alone.
type order struct {
	Serial   *simulator.Wire // open a pty with the slaves
	TCP      bool            // or listen
	Slaves   []slaveOrder
	Faults   string // of all its slaves, as simulator.ParseFaults reads them
	Seed     uint64
	Line     int    // of the line to close, or of the slave to change
	Address  int    // of that slave
	Quantity string // set this
	Value    float64
	Fault    string // put this fault
	Close    bool
}

// slaveOrder is one device of a line.
type slaveOrder struct {
	Profile string // "" has no points
	Address int
	Words   int // holding registers from 0 on, besides those of the profile
	Floats  int // or 32-bit floats
}

// done is what the far end did.
type done struct {
	Line  int
	Path  string // of the pty, or the address of the listener
	At    time.Time
	Error string
}

// startFar starts this program once more, as the far end.
func startFar(ctx context.Context) (*far, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "-far")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the far end: %w", err)
	}
	return &far{cmd: cmd, in: in, orders: json.NewEncoder(in), replies: json.NewDecoder(out)}, nil
}

// tell gives an order and waits until it is done.
func (f *far) tell(o order) (done, error) {
	if err := f.orders.Encode(o); err != nil {
		return done{}, fmt.Errorf("tell the far end: %w", err)
	}
	var d done
	if err := f.replies.Decode(&d); err != nil {
		return done{}, fmt.Errorf("hear the far end: %w", err)
	}
	if d.Error != "" {
		return d, errors.New("the far end: " + d.Error)
	}
	return d, nil
}

// stop ends the far end and waits for it.
func (f *far) stop() error {
	if err := f.in.Close(); err != nil {
		return err
	}
	if err := f.cmd.Wait(); err != nil {
		return fmt.Errorf("end the far end: %w", err)
	}
	return nil
}

// beFar obeys orders until there are no more.
func beFar(in io.Reader, out io.Writer) error {
	s := &site{}
	orders, replies := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return s.close()
		} else if err != nil {
			return errors.Join(err, s.close())
		}
		d, err := s.obey(o)
		if err != nil {
			d.Error = err.Error()
		}
		if err := replies.Encode(d); err != nil {
			return errors.Join(err, s.close())
		}
	}
}

// site is what the far end simulates.
type site struct {
	lines []simulated
}

type simulated struct {
	end    io.Closer
	slaves map[int]*simulator.Slave
}

func (s *site) obey(o order) (done, error) {
	switch {
	case o.Serial != nil, o.TCP:
		return s.open(o)
	case o.Line >= len(s.lines):
		return done{}, fmt.Errorf("there is no line %d", o.Line)
	case o.Close:
		return done{}, s.lines[o.Line].end.Close()
	}
	slave, ok := s.lines[o.Line].slaves[o.Address]
	if !ok {
		return done{}, fmt.Errorf("line %d has no slave %d", o.Line, o.Address)
	}
	if o.Fault != "" {
		fault, err := simulator.ParseFault(o.Fault)
		if err != nil {
			return done{}, err
		}
		slave.SetFault(fault)
		return done{}, nil
	}
	at := time.Now()
	return done{At: at}, slave.Set(o.Quantity, o.Value)
}

func (s *site) open(o order) (done, error) {
	l := simulated{slaves: map[int]*simulator.Slave{}}
	var slaves []*simulator.Slave
	for _, so := range o.Slaves {
		model, err := model(so.Profile)
		if err != nil {
			return done{}, err
		}
		slave, err := simulator.NewSlave(model, so.Address)
		if err != nil {
			return done{}, err
		}
		if so.Words > 0 {
			slave.SetWords(profile.Holding, 0, pattern(so.Address, so.Words)...)
		}
		if so.Floats > 0 {
			slave.SetWords(profile.Holding, 0, floatWords(so.Floats)...)
		}
		if err := misbehave(slave, o); err != nil {
			return done{}, err
		}
		slaves = append(slaves, slave)
		l.slaves[so.Address] = slave
	}
	d := done{Line: len(s.lines)}
	if o.TCP {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return done{}, err
		}
		server, err := simulator.ServeTCP(listener, slaves...)
		if err != nil {
			return done{}, err
		}
		l.end, d.Path = server, server.Addr()
	} else {
		tty, err := simulator.OpenPTY("")
		if err != nil {
			return done{}, err
		}
		bus, err := simulator.NewLine(tty, simulator.Options{Wire: *o.Serial, Seed: o.Seed}, slaves...)
		if err != nil {
			return done{}, err
		}
		l.end, d.Path = bus, tty.Path()
	}
	s.lines = append(s.lines, l)
	return d, nil
}

func misbehave(slave *simulator.Slave, o order) error {
	if o.Faults == "" {
		return nil
	}
	faults, err := simulator.ParseFaults(o.Faults)
	if err != nil {
		return err
	}
	slave.SetFaults(faults...)
	return nil
}

func (s *site) close() error {
	var errs []error
	for _, l := range s.lines {
		errs = append(errs, l.end.Close())
	}
	return errors.Join(errs...)
}

// model returns a profile that comes with the program, or the zero one.
func model(id string) (profile.Profile, error) {
	if id == "" {
		return profile.Profile{}, nil
	}
	cfg, err := config.BuiltIn("demo")
	if err != nil {
		return profile.Profile{}, err
	}
	p, ok := cfg.Profiles[id]
	if !ok {
		return profile.Profile{}, fmt.Errorf("there is no profile %q", id)
	}
	return p, nil
}

// pattern is what stands in the registers, so that the masters can be seen to have
// read them.
func pattern(unit, n int) []uint16 {
	words := make([]uint16, n)
	for i := range words {
		words[i] = uint16(i)*0x1357 + uint16(unit)*0x2B5D
	}
	return words
}
