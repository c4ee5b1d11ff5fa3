package simulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"gengfu/devices/profile"
)

// Wire is the timing of a serial line. The zero value answers as fast as it can.
type Wire struct {
	Baud       int           // bits per second; 0 does not pace
	Bits       int           // per character with start, parity and stop: 10 for 8N1, 11 for 8E1; 0 is 10
	Turnaround time.Duration // from the end of the request to the first character of the reply
}

// Characters returns how long n characters take.
func (w Wire) Characters(n int) time.Duration {
	if w.Baud <= 0 {
		return 0
	}
	bits := w.Bits
	if bits == 0 {
		bits = 10
	}
	return time.Duration(n*bits) * time.Second / time.Duration(w.Baud)
}

// silence ends a frame whose length cannot be known. It is far above 3.5
// characters, because a pty hands over what it likes when it likes.
func (w Wire) silence() time.Duration { return max(20*time.Millisecond, w.Characters(20)) }

// Bus is a line with slaves that speak Modbus RTU. It answers only for its own
// addresses, checks the CRC and stays silent otherwise. Each slave answers by
// itself, so a slow one does not hold up the others.
type Bus struct {
	rw     io.ReadWriteCloser
	wire   Wire
	slaves map[byte]*Slave
	done   chan struct{}
	stop   sync.Once
	owned  sync.WaitGroup
	onWire chan struct{} // one frame at a time; no mutex, so that the wait stands still in a synctest bubble
}

// NewBus serves the slaves on rw until Close, or until rw ends.
func NewBus(rw io.ReadWriteCloser, wire Wire, slaves ...*Slave) (*Bus, error) {
	byAddress, err := index(slaves)
	if err != nil {
		return nil, err
	}
	b := &Bus{rw: rw, wire: wire, slaves: byAddress, done: make(chan struct{}), onWire: make(chan struct{}, 1)}
	chunks := make(chan []byte)
	b.owned.Go(func() { b.receive(chunks) })
	b.owned.Go(func() { b.assemble(chunks) })
	return b, nil
}

func index(slaves []*Slave) (map[byte]*Slave, error) {
	out := make(map[byte]*Slave, len(slaves))
	for _, s := range slaves {
		if _, taken := out[s.address]; taken {
			return nil, fmt.Errorf("simulate a line: two slaves have the address %d", s.address)
		}
		out[s.address] = s
	}
	return out, nil
}

// Close ends the line and waits for everything that it started.
func (b *Bus) Close() error {
	err := b.end()
	b.owned.Wait()
	return err
}

// Wait returns when the other end has closed the line, or after Close.
func (b *Bus) Wait() { b.owned.Wait() }

func (b *Bus) end() error {
	var err error
	b.stop.Do(func() {
		close(b.done)
		err = b.rw.Close()
	})
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func (b *Bus) receive(chunks chan<- []byte) {
	defer close(chunks)
	for {
		buf := make([]byte, 512)
		n, err := b.rw.Read(buf)
		if n > 0 {
			select {
			case chunks <- buf[:n]:
			case <-b.done:
				return
			}
		}
		if err != nil {
			_ = b.end() // the line is gone; the reader of Close has its error
			return
		}
	}
}

// assemble cuts what comes in into frames and hands them to their slaves.
func (b *Bus) assemble(chunks <-chan []byte) {
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	var held []byte
	for {
		select {
		case chunk, open := <-chunks:
			if !open {
				return
			}
			held = b.takeFrames(append(held, chunk...))
			quiet.Reset(b.wire.silence())
		case <-quiet.C:
			b.settle(held)
			held = nil
		}
	}
}

// takeFrames handles the whole frames at the start of buf and returns the rest.
// A byte that cannot begin a good frame is skipped.
func (b *Bus) takeFrames(buf []byte) []byte {
	for {
		n := requestLength(buf)
		if n == 0 || len(buf) < n {
			return buf
		}
		if !frameOK(buf[:n]) {
			buf = buf[1:]
			continue
		}
		b.handle(buf[:n])
		buf = buf[n:]
	}
}

// settle handles what was held when the line fell silent: a frame of a function
// whose length is not known, or good frames after stray bytes.
func (b *Bus) settle(held []byte) {
	if frameOK(held) {
		b.handle(held)
		return
	}
	for len(held) > 0 {
		if n := requestLength(held); n > 0 && n <= len(held) && frameOK(held[:n]) {
			b.handle(held[:n])
			held = held[n:]
		} else {
			held = held[1:]
		}
	}
}

// requestLength returns how long the request at the start of buf is, 0 when that
// cannot be known yet or at all.
func requestLength(buf []byte) int {
	if len(buf) < 2 {
		return 0
	}
	switch buf[1] {
	case readCoils, readDiscretes, readHolding, readInput, writeCoil, writeRegister:
		return 8
	case writeCoils, writeRegisters:
		if len(buf) < 7 {
			return 0
		}
		return 9 + int(buf[6])
	}
	return 0
}

func frameOK(frame []byte) bool {
	n := len(frame) - 2
	return n >= 2 && binary.LittleEndian.Uint16(frame[n:]) == profile.CRC16(frame[:n])
}

func (b *Bus) handle(frame []byte) {
	address, pdu := frame[0], append([]byte(nil), frame[1:len(frame)-2]...)
	arrival := b.wire.Characters(len(frame))
	if address == 0 {
		for _, s := range b.slaves {
			s.respond(pdu) // a broadcast has no reply
		}
		return
	}
	if s, ok := b.slaves[address]; ok {
		if a, ok := s.serve(pdu); ok {
			b.owned.Go(func() { b.reply(address, a, arrival) })
		}
	}
}

func (b *Bus) reply(address byte, a answer, arrival time.Duration) {
	delay := arrival + b.wire.Turnaround
	if a.fault.Kind == Slow {
		delay += a.fault.Delay
	}
	if !b.sleep(delay) {
		return
	}
	frame := append([]byte{address}, a.pdu...)
	frame = binary.LittleEndian.AppendUint16(frame, profile.CRC16(frame))

	select {
	case b.onWire <- struct{}{}:
	case <-b.done:
		return
	}
	defer func() { <-b.onWire }()
	switch a.fault.Kind {
	case Corrupt:
		frame[len(frame)-1] ^= 0x55
	case Truncated:
		frame = frame[:len(frame)/2]
	case Split:
		half := len(frame) / 2
		if !b.transmit(frame[:half]) || !b.sleep(a.fault.Delay) {
			return
		}
		frame = frame[half:]
	}
	b.transmit(frame)
}

// transmit writes the frame as the wire would bring it: no character before its
// time, several at once when they are closer than a timer can tell apart.
func (b *Bus) transmit(frame []byte) bool {
	const tick = 2 * time.Millisecond
	start := time.Now()
	for sent := 0; sent < len(frame); {
		due := sent + 1
		for due < len(frame) && b.wire.Characters(due) < b.wire.Characters(sent)+tick {
			due++
		}
		if !b.sleep(time.Until(start.Add(b.wire.Characters(due)))) {
			return false
		}
		if _, err := b.rw.Write(frame[sent:due]); err != nil {
			return false // the line is gone; receive sees it too
		}
		sent = due
	}
	return true
}

// sleep reports false when the bus ended meanwhile.
func (b *Bus) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.done:
		return false
	}
}
