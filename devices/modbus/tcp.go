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
	buf      [1024]byte
	from, to int // what is received and not yet understood, in buf
	lastByte time.Time
}

// sendTCP sends the packed request and returns the body of the frame with its
// transaction id.
func (m *Master) sendTCP(ctx context.Context, e expected, t Timing) ([]byte, error) {
	if err := m.opts.Wait(ctx, m.tcp.lastByte.Add(max(m.opts.Gap, t.Pause))); err != nil {
		return nil, fmt.Errorf("%w: %w", bus.ErrUnsent, err)
	}
	start := time.Now()
	if err := m.tcp.conn.Write(ctx, m.request); err != nil {
		return nil, err
	}
	m.tcp.lastByte = start
	timeout := m.timeout(t)
	if t.Pace != nil {
		timeout = min(timeout, t.Pace.Timeout())
	}
	frame, err := m.receiveTCP(ctx, m.request, start.Add(timeout))
	if m.opts.Trace != nil {
		m.opts.Trace(bus.Exchange{
			At: start, Request: bytes.Clone(m.request), Reply: bytes.Clone(frame), Took: time.Since(start), Err: err,
		})
	}
	if err != nil {
		if t.Pace != nil && errors.Is(err, ErrTimeout) {
			t.Pace.Missed()
		}
		return nil, err
	}
	if t.Pace != nil {
		t.Pace.Observe(m.tcp.lastByte.Sub(start))
	}
	return m.bodyTCP(e, frame)
}

func (m *Master) receiveTCP(ctx context.Context, adu []byte, deadline time.Time) ([]byte, error) {
	l := &m.tcp
	for {
		frame, rest, err := cutMBAP(l.buf[l.from:l.to])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", line.ErrBroken, err)
		}
		if frame == nil {
			l.to, l.from = copy(l.buf[:], l.buf[l.from:l.to]), 0
			n, err := l.conn.Read(ctx, l.buf[l.to:], deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, ErrTimeout
			}
			if err != nil {
				return nil, err
			}
			l.to += n
			l.lastByte = time.Now()
			continue
		}
		if l.from = l.to - len(rest); len(rest) == 0 {
			line.Settle(l.conn)
		}
		switch matchMBAP(adu, frame) {
		case theReply:
			return frame, nil
		case older:
			m.counters.Stale++
		case stranger:
			return nil, fmt.Errorf("transaction %d answered while %d was asked: %w",
				binary.BigEndian.Uint16(frame), binary.BigEndian.Uint16(adu), line.ErrBroken)
		}
		if l.lastByte.After(deadline) {
			return nil, ErrTimeout // only older ones come
		}
	}
}

// bodyTCP counts a gateway that answers with a unit of its own, and lets it pass:
// the transaction id has told whose reply it is.
func (m *Master) bodyTCP(e expected, frame []byte) ([]byte, error) {
	body := frame[mbapLength-1:]
	if body[0] != e.unit {
		m.counters.Units++
		body[0] = e.unit
	}
	if !e.is(body) {
		return nil, fmt.Errorf("% X does not answer the request: %w", body[:min(len(body), writeBody)], ErrGarbled)
	}
	return body, nil
}
