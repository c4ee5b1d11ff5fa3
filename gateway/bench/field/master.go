package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/goburrow/modbus"
	strongest "github.com/simonvetter/modbus"
	"golang.org/x/sys/unix"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	gengfu "gengfu/devices/modbus"
	"gengfu/devices/profile"
)

// master reads holding registers of a slave.
type master interface {
	read(unit byte, address, words int) ([]uint16, error)
	Close() error
}

// setting is how a line is set.
type setting struct {
	name string
	line.Serial
	patience time.Duration // of the masters; 0 is far longer than a reply takes
}

var settings = map[string]setting{
	"9600":   {name: "9600 8N1", Serial: line.Serial{Baud: 9600, Parity: "none"}},
	"19200":  {name: "19200 8E1", Serial: line.Serial{Baud: 19200, Parity: "even"}},
	"115200": {name: "115200 8N1", Serial: line.Serial{Baud: 115200, Parity: "none"}},
}

func (s setting) wire() bus.Wire { return bus.Wire{Character: s.Character()} }

// limit is the shortest cycle that the wire and the standard allow: the request of
// 8 bytes, the reply of 5 and two for each register, and 3.5 characters of silence
// before each of them.
func (s setting) limit(words int) time.Duration {
	return s.wire().Of(13+2*words) + 2*s.wire().Silence()
}

const (
	patience       = 5 * time.Second // far longer than a reply takes
	faultyPatience = 50 * time.Millisecond
)

func (s setting) timeout() time.Duration { return cmp.Or(s.patience, patience) }

// contender is a master that is measured.
type contender struct {
	name string
	open func(ctx context.Context, path string, s setting) (master, error)
}

var contenders = []contender{
	{"gengfu", openGengfu},
	{"simonvetter", openStrongest},
	{"goburrow", openGoburrow},
	{"spinning", openSpinning},
}

type ourMaster struct {
	ctx    context.Context
	conn   *line.Conn
	master *gengfu.Master
}

func openGengfu(ctx context.Context, path string, s setting) (master, error) {
	s.Port = path
	conn, err := line.OpenSerial(ctx, s.Serial)
	if err != nil {
		return nil, err
	}
	shared := bus.New(bus.Options{Wire: s.wire()})
	shared.Attach(conn)
	return &ourMaster{ctx, conn, gengfu.NewMaster(gengfu.Options{Bus: shared, Timeout: s.timeout()})}, nil
}

func (m *ourMaster) read(unit byte, address, words int) ([]uint16, error) {
	r := gengfu.Request{Unit: unit, Table: profile.Holding, Address: uint16(address), Quantity: uint16(words)}
	return m.master.Read(m.ctx, r, gengfu.Timing{})
}

func (m *ourMaster) Close() error { return m.conn.Close() }

type goburrow struct {
	*modbus.RTUClientHandler
	client modbus.Client
}

func openGoburrow(_ context.Context, path string, s setting) (master, error) {
	h := modbus.NewRTUClientHandler(path)
	h.BaudRate, h.DataBits, h.StopBits, h.Parity = s.Baud, 8, 1, "N"
	if s.Parity == "even" {
		h.Parity = "E"
	}
	h.Timeout = s.timeout()
	if err := h.Connect(); err != nil {
		return nil, fmt.Errorf("goburrow: %w", err)
	}
	return &goburrow{h, modbus.NewClient(h)}, nil
}

func (g *goburrow) read(unit byte, address, words int) ([]uint16, error) {
	g.SlaveId = unit
	data, err := g.client.ReadHoldingRegisters(uint16(address), uint16(words))
	return unpack(data), err
}

type simonvetter struct{ *strongest.ModbusClient }

func openStrongest(_ context.Context, path string, s setting) (master, error) {
	parity := strongest.PARITY_NONE
	if s.Parity == "even" {
		parity = strongest.PARITY_EVEN
	}
	c, err := strongest.NewClient(&strongest.ClientConfiguration{
		URL: "rtu://" + path, Speed: uint(s.Baud), DataBits: 8, Parity: parity, StopBits: 1, Timeout: s.timeout(),
		Logger: log.New(io.Discard, "", 0),
	})
	if err != nil {
		return nil, fmt.Errorf("simonvetter: %w", err)
	}
	if err := c.Open(); err != nil {
		return nil, fmt.Errorf("simonvetter: %w", err)
	}
	return &simonvetter{c}, nil
}

func (s *simonvetter) read(unit byte, address, words int) ([]uint16, error) {
	if err := s.SetUnitId(unit); err != nil {
		return nil, err
	}
	return s.ReadRegisters(uint16(address), uint16(words), strongest.HOLDING_REGISTER)
}

// spinning is no master for use: it asks the kernel without a pause and so shows
// what the simulated line itself allows.
type spinning struct {
	fd       int
	silence  time.Duration
	lastByte time.Time
}

func openSpinning(_ context.Context, path string, s setting) (master, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("spinning: open %s: %w", path, err)
	}
	return &spinning{fd: fd, silence: s.wire().Silence(), lastByte: time.Now()}, nil
}

func (s *spinning) read(unit byte, address, words int) ([]uint16, error) {
	request := []byte{unit, 3, 0, byte(address), 0, byte(words)}
	request = binary.LittleEndian.AppendUint16(request, profile.CRC16(request))
	for time.Since(s.lastByte) < s.silence {
	}
	if _, err := unix.Write(s.fd, request); err != nil {
		return nil, err
	}
	reply := make([]byte, 5+2*words)
	start := time.Now()
	for have := 0; have < len(reply); {
		n, err := unix.Read(s.fd, reply[have:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			if time.Since(start) > patience {
				return nil, errors.New("no reply")
			}
		case err != nil:
			return nil, err
		default:
			have += n
		}
	}
	s.lastByte = time.Now()
	return unpack(reply[3 : len(reply)-2]), nil
}

func (s *spinning) Close() error { return unix.Close(s.fd) }

func unpack(data []byte) []uint16 {
	words := make([]uint16, len(data)/2)
	for i := range words {
		words[i] = binary.BigEndian.Uint16(data[2*i:])
	}
	return words
}
