package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/goburrow/modbus"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
)

// The functions that write.
const (
	writeCoil      byte = 0x05
	writeRegister  byte = 0x06
	writeCoils     byte = 0x0F
	writeRegisters byte = 0x10
)

// The most that one request may write, of the Modbus application protocol V1.1b3.
const (
	mostCoils     = 1968
	mostRegisters = 123
)

// WriteRequest writes registers or coils of one slave.
type WriteRequest struct {
	Unit     byte          // not 0: nobody confirms a broadcast
	Table    profile.Table // Holding or Coil
	Address  uint16        // 0-based, as on the wire
	Words    []uint16      // one per register, or per coil with 0 and 1
	Multiple bool          // one word too is written by the function for many, 0F or 10
}

func (w WriteRequest) String() string {
	return fmt.Sprintf("write to slave %d %s %d+%d", w.Unit, w.Table, w.Address, len(w.Words))
}

func (w WriteRequest) validate() error {
	most := map[profile.Table]int{profile.Coil: mostCoils, profile.Holding: mostRegisters}[w.Table]
	switch {
	case most == 0:
		return fmt.Errorf("%s: nothing can be written there", w)
	case w.Unit == 0:
		return fmt.Errorf("%s: 0 is every slave, and none would confirm it", w)
	case len(w.Words) == 0 || len(w.Words) > most:
		return fmt.Errorf("%s: it must be 1 to %d words", w, most)
	case int(w.Address)+len(w.Words) > 1<<16:
		return fmt.Errorf("%s: beyond address 65535", w)
	}
	for _, word := range w.Words {
		if w.Table == profile.Coil && word > 1 {
			return fmt.Errorf("%s: a coil is 0 or 1, not %d", w, word)
		}
	}
	return nil
}

// pdu returns what is sent.
func (w WriteRequest) pdu() modbus.ProtocolDataUnit {
	head := binary.BigEndian.AppendUint16(nil, w.Address)
	single := len(w.Words) == 1 && !w.Multiple
	switch {
	case single && w.Table == profile.Coil:
		return modbus.ProtocolDataUnit{FunctionCode: writeCoil, Data: append(head, byte(w.Words[0])*0xFF, 0)}
	case single:
		return modbus.ProtocolDataUnit{FunctionCode: writeRegister, Data: binary.BigEndian.AppendUint16(head, w.Words[0])}
	case w.Table == profile.Coil:
		bits := make([]byte, (len(w.Words)+7)/8)
		for i, word := range w.Words {
			bits[i/8] |= byte(word) << (i % 8)
		}
		head = binary.BigEndian.AppendUint16(head, uint16(len(w.Words)))
		return modbus.ProtocolDataUnit{FunctionCode: writeCoils, Data: append(append(head, byte(len(bits))), bits...)}
	}
	head = binary.BigEndian.AppendUint16(head, uint16(len(w.Words)))
	head = append(head, byte(2*len(w.Words)))
	for _, word := range w.Words {
		head = binary.BigEndian.AppendUint16(head, word)
	}
	return modbus.ProtocolDataUnit{FunctionCode: writeRegisters, Data: head}
}

// Write writes once and returns nil when the slave has confirmed it. It is never
// sent a second time: after ErrUnconfirmed only reading tells what the slave holds.
// An Exception says that it was refused, and any other error that nothing was sent.
func (m *Master) Write(ctx context.Context, w WriteRequest, t Timing) error {
	if err := w.validate(); err != nil {
		return err
	}
	pdu := w.pdu()
	e := expected{unit: w.Unit, function: pdu.FunctionCode, write: true, head: [4]byte(pdu.Data)}
	if err := m.prepareWrite(ctx, w, e, t); err != nil {
		return fmt.Errorf("%s: nothing was written: %w", w, err)
	}
	m.pdu = pdu
	_, err := m.exchange(ctx, e, t)
	var refused Exception
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bus.ErrUnsent):
		return fmt.Errorf("%s: nothing was written: %w", w, err)
	case errors.As(err, &refused) && !errors.Is(err, ErrGarbled) && refused.Code != Acknowledge && refused.Code != TargetSilent:
		return fmt.Errorf("%s: %w", w, err)
	}
	return fmt.Errorf("%s: %w: %w", w, ErrUnconfirmed, err)
}

// prepareWrite sees to it that a confirmation is the request's own: no earlier one
// is outstanding, and it is known whether the adapter returns what is sent. An
// answer to some read, or its refusal, tells both.
func (m *Master) prepareWrite(ctx context.Context, w WriteRequest, e expected, t Timing) error {
	if m.opts.Framing == TCP {
		return nil
	}
	now := time.Now()
	_, known := m.bus.Echoes()
	if known && !m.lost.ambiguous(e, now) && !m.lost.unpassed(w.Unit, now) && !m.unmet(w.Unit) {
		return nil
	}
	if err := m.opts.Wait(ctx, m.lost.of(e).until); err != nil {
		return err
	}
	r := Request{Unit: w.Unit, Table: w.Table, Address: w.Address, Quantity: 1}
	if !m.lost.ambiguous(r.expected(), time.Now()) {
		return m.answer(ctx, r, t)
	}
	for s := range variants(r, true) {
		if !m.lost.ambiguous(s.expected(), time.Now()) && t.allows(s) {
			return m.answer(ctx, s, t)
		}
	}
	return fmt.Errorf("too many lost replies: %w", ErrTimeout)
}
