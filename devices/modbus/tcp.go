package modbus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
)

// tcpLine is a socket of Modbus TCP.
type tcpLine struct {
	conn     bus.Conn
	buf      [512]byte
	stream   []byte // received and not yet understood
	lastByte time.Time
}

// sendTCP sends one frame and returns the one with its transaction id.
func (m *Master) sendTCP(ctx context.Context, adu []byte, t Timing) ([]byte, error) {
	if err := m.opts.Wait(ctx, m.tcp.lastByte.Add(max(m.opts.Gap, t.Pause))); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := m.tcp.conn.Write(ctx, adu); err != nil {
		return nil, err
	}
	m.tcp.lastByte = start
	frame, err := m.receiveTCP(ctx, adu, start.Add(t.Timeout))
	if m.opts.Trace != nil {
		m.opts.Trace(bus.Exchange{At: start, Request: bytes.Clone(adu), Reply: bytes.Clone(frame), Took: time.Since(start), Err: err})
	}
	return frame, err
}

func (m *Master) receiveTCP(ctx context.Context, adu []byte, deadline time.Time) ([]byte, error) {
	for {
		frame, rest, err := cutMBAP(m.tcp.stream)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", line.ErrBroken, err)
		}
		if frame == nil {
			n, err := m.tcp.conn.Read(ctx, m.tcp.buf[:], deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, ErrTimeout
			}
			if err != nil {
				return nil, err
			}
			m.tcp.lastByte = time.Now()
			m.tcp.stream = append(m.tcp.stream, m.tcp.buf[:n]...)
			continue
		}
		m.tcp.stream = rest
		switch matchMBAP(adu, frame) {
		case theReply:
			return m.ownUnit(adu, frame), nil
		case older:
			m.counters.Stale++
		case stranger:
			return nil, fmt.Errorf("transaction %d answered while %d was asked: %w",
				binary.BigEndian.Uint16(frame), binary.BigEndian.Uint16(adu), line.ErrBroken)
		}
	}
}

// ownUnit counts a gateway that answers with a unit of its own, and lets it pass:
// the transaction id has told whose reply it is.
func (m *Master) ownUnit(adu, frame []byte) []byte {
	frame = bytes.Clone(frame)
	if frame[6] != adu[6] {
		m.counters.Units++
		frame[6] = adu[6]
	}
	return frame
}
