package simulator

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"gengfu/facility"
)

// PN532 is the reader chip of that name on its UART, at which badges are held. It
// begins asleep, as after power-up, and then says nothing until it is woken and
// configured. It writes to a PTY or the like, and closes it with Close.
type PN532 struct {
	rw io.ReadWriteCloser

	mu      sync.Mutex
	off     bool
	awake   bool
	ready   bool // it was configured as a reader
	patient bool // it looks for a card until one comes
	looking bool // ... and does so now
	spoil   int  // answers that get a wrong check
	mute    int  // answers that are left at the acknowledgement
	card    []byte
	input   []byte
	polls   int
}

// NewPN532 returns a chip that was just powered up, without a card.
func NewPN532(rw io.ReadWriteCloser) *PN532 { return &PN532{rw: rw, patient: true} }

// Serve answers until the line is closed, and returns why it ended.
func (p *PN532) Serve() error {
	var buf [256]byte
	for {
		n, err := p.rw.Read(buf[:])
		if err := p.take(buf[:n]); err != nil {
			return err
		}
		if err != nil {
			return fmt.Errorf("simulated PN532: %w", err)
		}
	}
}

// Hold puts a badge on the reader, until Remove. Its UID has 4, 7 or 10 bytes.
func (p *PN532) Hold(uid string) error {
	uid, err := facility.NormaliseUID(uid)
	if err != nil {
		return fmt.Errorf("hold a badge: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.card, err = hex.DecodeString(uid); err != nil {
		return fmt.Errorf("hold a badge: %w", err)
	}
	if p.looking && !p.off {
		p.looking = false
		return p.answer(p.targets())
	}
	return nil
}

// Remove takes the badge away.
func (p *PN532) Remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.card = nil
}

// Power switches the chip off, or on again: it then has forgotten everything and
// sleeps.
func (p *PN532) Power(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off, p.awake, p.ready, p.patient, p.looking, p.input = !on, false, false, true, false, nil
}

// Spoil gives the next n answers a wrong check.
func (p *PN532) Spoil(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoil = n
}

// Mute leaves the next n answers at their acknowledgement.
func (p *PN532) Mute(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = n
}

// Polls returns how often it was asked for a card.
func (p *PN532) Polls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.polls
}

// Close takes the reader away.
func (p *PN532) Close() error { return p.rw.Close() }

// Codes of the PN532.
const (
	pn532Wake         = 0x55
	pn532ToChip       = 0xD4
	pn532FromChip     = 0xD5
	pn532SAM          = 0x14
	pn532Firmware     = 0x02
	pn532RF           = 0x32
	pn532Poll         = 0x4A
	pn532Retries      = 0x05 // item of pn532RF
	pn532ForEver      = 0xFF
	pn532LongestInput = 512
)

// take hears what the host sends.
func (p *PN532) take(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return nil
	}
	if !p.awake {
		at := bytes.IndexByte(b, pn532Wake)
		if at < 0 {
			return nil
		}
		p.awake, b = true, b[at:]
	}
	p.input = append(p.input, b...)
	for {
		command, ok := p.next()
		if !ok {
			break
		}
		if len(command) == 0 { // an acknowledgement of the host ends what goes on
			p.looking = false
			continue
		}
		if err := p.obey(command); err != nil {
			return err
		}
	}
	p.input = p.input[max(0, len(p.input)-pn532LongestInput):]
	return nil
}

// next cuts the next frame with right checks out of the input.
func (p *PN532) next() (command []byte, ok bool) {
	for {
		at := bytes.Index(p.input, []byte{0x00, 0xFF})
		if at < 0 || len(p.input) < at+5 {
			return nil, false
		}
		f := p.input[at+2:]
		n := int(f[0])
		switch {
		case f[0] == 0x00 && f[1] == 0xFF:
			p.input = f[2:]
			return nil, true
		case f[0]+f[1] != 0 || n < 2:
			p.input = p.input[at+1:]
			continue
		case len(f) < n+3:
			return nil, false
		}
		body, check := f[2:2+n], f[2+n]
		p.input = f[n+3:]
		if plainSum(body)+check == 0 && body[0] == pn532ToChip {
			return body[1:], true
		}
	}
}

func (p *PN532) obey(command []byte) error {
	p.looking = false // a new command ends the one before
	if _, err := p.rw.Write([]byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00}); err != nil {
		return fmt.Errorf("simulated PN532: %w", err)
	}
	switch {
	case command[0] == pn532SAM:
		p.ready = true
		return p.answer([]byte{pn532FromChip, pn532SAM + 1})
	case command[0] == pn532Firmware:
		return p.answer([]byte{pn532FromChip, pn532Firmware + 1, 0x32, 0x01, 0x06, 0x07})
	case !p.ready:
		return p.answer([]byte{0x7F})
	case command[0] == pn532RF && len(command) == 5 && command[1] == pn532Retries:
		p.patient = command[4] == pn532ForEver
		return p.answer([]byte{pn532FromChip, pn532RF + 1})
	case command[0] == pn532Poll && len(command) == 3 && command[2] == 0:
		p.polls++
		if p.card == nil && p.patient {
			p.looking = true
			return nil
		}
		return p.answer(p.targets())
	}
	return p.answer([]byte{0x7F})
}

// targets tells of the card.
func (p *PN532) targets() []byte {
	if p.card == nil {
		return []byte{pn532FromChip, pn532Poll + 1, 0}
	}
	head := []byte{pn532FromChip, pn532Poll + 1, 1, 1, 0x00, 0x44, 0x00, byte(len(p.card))}
	return append(head, p.card...)
}

func (p *PN532) answer(body []byte) error {
	if p.mute > 0 {
		p.mute--
		return nil
	}
	n := byte(len(body))
	check := -plainSum(body)
	if p.spoil > 0 {
		p.spoil--
		check++
	}
	frame := append([]byte{0x00, 0x00, 0xFF, n, -n}, body...)
	if _, err := p.rw.Write(append(frame, check, 0x00)); err != nil {
		return fmt.Errorf("simulated PN532: %w", err)
	}
	return nil
}

func plainSum(b []byte) (sum byte) {
	for _, c := range b {
		sum += c
	}
	return sum
}
