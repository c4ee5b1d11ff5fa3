package simulator

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"gengfu/devices/profile"
)

// The bytes of M-Bus frames (EN 13757-2, 5.2; EN 13757-3, 6).
const (
	startShort = 0x10
	startLong  = 0x68
	endMBus    = 0x16
	ackMBus    = 0xE5

	sndNKE, sndUD, reqUD2 = 0x40, 0x53, 0x5B
	frameCount            = 0x20 // of control

	rspUD      = 0x08
	ciSelect   = 0x52
	ciVariable = 0x72
	ciError    = 0x70

	toSelected, toAnyone, toAll = 0xFD, 0xFE, 0xFF
)

// langMBus is wired M-Bus. A payload is control and address of a short frame, with
// CI and data of a long one, and empty for an acknowledgement.
type langMBus struct{ taken []byte }

func (langMBus) look(buf []byte, _ bool) (sight, []byte, int) {
	switch {
	case buf[0] == startShort:
		switch {
		case len(buf) > 1 && buf[1]&0xC0 != sndNKE:
			return nothing, nil, 0
		case len(buf) < 5:
			return begun, nil, 0
		case buf[3] != buf[1]+buf[2] || buf[4] != endMBus:
			return nothing, nil, 0
		}
		return whole, slices.Clone(buf[1:3]), 5
	case buf[0] != startLong || len(buf) > 1 && buf[1] < 3 || len(buf) > 2 && buf[2] != buf[1] || len(buf) > 3 && buf[3] != startLong:
		return nothing, nil, 0
	case len(buf) < 4 || len(buf) < int(buf[1])+6:
		return begun, nil, 0
	}
	n := int(buf[1]) + 6
	if buf[n-1] != endMBus || sum(buf[4:n-2]) != buf[n-2] {
		return nothing, nil, 0
	}
	return whole, slices.Clone(buf[4 : n-2]), n
}

func (langMBus) wrap(payload []byte, spoilt bool) []byte {
	check := spoil(sum(payload), spoilt)
	switch len(payload) {
	case 0:
		return []byte{spoil(ackMBus, spoilt)}
	case 2:
		return []byte{startShort, payload[0], payload[1], check, endMBus}
	}
	n := byte(len(payload))
	return append(append([]byte{startLong, n, n, startLong}, payload...), check, endMBus)
}

// stranger leaves an acknowledgement as it is: it names nobody.
func (l langMBus) stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	theirRequest, theirReply = slices.Clone(request), slices.Clone(reply)
	address := byte(1 + dice.IntN(250))
	for len(l.taken) < 250 && slices.Contains(l.taken, address) {
		address = address%250 + 1
	}
	if len(theirRequest) == 2 {
		theirRequest[1] = address
	}
	if len(theirReply) > 7 {
		theirReply[1] = address
		randomDigits(theirReply[3:7], dice.IntN)
	}
	if records := 3 + headerMBus; len(theirReply) >= records+6 {
		randomDigits(theirReply[records+2:records+6], dice.IntN)
	}
	return l.wrap(theirRequest, false), l.wrap(theirReply, false)
}

// headerMBus is identity, access number, status and signature before the records.
const headerMBus = 12

// meterMBus is a meter on M-Bus.
type meterMBus struct {
	primary  byte
	identity [8]byte // number, maker, version and medium, as on the wire
	records  []recordMBus
	most     int // bytes of data in a frame

	selected bool
	counted  bool // a request was answered since the initialisation
	count    byte // frame count bit of it
	telegram int  // that it got
	access   byte
}

func newMeterMBus(p profile.Profile, address string) (face, string, error) {
	m := &meterMBus{most: 0xFF - 3}
	if err := m.settle(p.Kind, address); err != nil {
		return nil, "", err
	}
	for _, mark := range p.Identify {
		if len(mark.Medium) > 0 && len(address) < 16 {
			m.identity[7] = byte(mark.Medium[0])
		}
	}
	for _, pt := range p.Points {
		r, err := newRecordMBus(pt)
		if err != nil {
			return nil, "", fmt.Errorf("point %s: %w", pt.ID, err)
		}
		if m.find(r) == nil {
			m.records = append(m.records, r)
		}
	}
	return m, strings.ToUpper(address), nil
}

// settle reads the address. A meter that is given a primary one gets an identity
// from it, and one with a secondary address the primary one of a new meter, 0.
func (m *meterMBus) settle(kind, address string) error {
	const ownMaker = 7<<10 | 6<<5 | 21 // GFU
	media := map[string]byte{"water_meter": 0x07, "electricity_meter": 0x02, "gas_meter": 0x03, "heat_meter": 0x04}
	rest := []byte{ownMaker & 0xFF, ownMaker >> 8, 0x01, media[kind]}
	number := address
	switch {
	case len(address) == 16:
		b, err := hex.DecodeString(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		number, rest = address[:8], b[4:]
	case len(address) <= 3:
		n, err := strconv.Atoi(address)
		if err != nil || n < 0 || n > 250 {
			return fmt.Errorf("address %q: want 0 to 250, or eight or sixteen digits", address)
		}
		m.primary, number = byte(n), strconv.Itoa(10000000+n)
	}
	b, _, err := addressBytes(number, 4)
	if err != nil {
		return err
	}
	copy(m.identity[:], append(b, rest...))
	return nil
}

func (m *meterMBus) protocol() profile.Protocol { return profile.MBus }
func (m *meterMBus) preamble() int              { return 0 }

// find returns the record that the point is a part of.
func (m *meterMBus) find(r recordMBus) *recordMBus {
	for i := range m.records {
		if m.records[i].key == r.key {
			return &m.records[i]
		}
	}
	return nil
}

func (m *meterMBus) of(pt profile.Point) (*recordMBus, error) {
	r, err := newRecordMBus(pt)
	if err != nil {
		return nil, err
	}
	if found := m.find(r); found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("%s is no record of the meter", pt.ID)
}

func (m *meterMBus) set(pt profile.Point, value float64) error {
	r, err := m.of(pt)
	if err != nil {
		return err
	}
	raw, err := merge(pt, value, r.value)
	if err != nil {
		return err
	}
	raw /= r.code.factor(pt)
	if _, err := r.encode(raw); err != nil {
		return fmt.Errorf("%s: %w", pt.ID, err)
	}
	r.value = raw
	return nil
}

func (m *meterMBus) get(pt profile.Point) (float64, error) {
	r, err := m.of(pt)
	if err != nil {
		return 0, err
	}
	return r.shown(pt)
}

// attends also notes whether the meter is selected from now on.
func (m *meterMBus) attends(request []byte) (attends, replies bool) {
	control, address := request[0], request[1]
	if control&0x40 == 0 {
		return false, false // of a meter
	}
	switch address {
	case toAll:
		return true, false
	case toAnyone:
		return true, true
	case toSelected:
		if control&^frameCount == sndUD && len(request) == 11 && request[2] == ciSelect {
			m.selected = m.isMeant(request[3:])
			m.counted = false
		}
		return m.selected, m.selected
	}
	return address == m.primary, address == m.primary
}

// isMeant reports whether a secondary address, in which F stands for any digit and
// FF for any other byte, is that of the meter.
func (m *meterMBus) isMeant(asked []byte) bool {
	for i, own := range m.identity {
		if i < 4 {
			low, high := asked[i]&0x0F, asked[i]>>4
			if low != 0x0F && low != own&0x0F || high != 0x0F && high != own>>4 {
				return false
			}
			continue
		}
		if asked[i] != 0xFF && asked[i] != own {
			return false
		}
	}
	return true
}

func (m *meterMBus) refuse(request []byte, f Fault) []byte {
	const busy = 8
	code := f.Code
	if f.Kind == Busy {
		code = busy
	}
	if request[0]&^frameCount != reqUD2 {
		return nil
	}
	return []byte{rspUD, m.primary, ciError, code}
}

func (m *meterMBus) respond(request []byte) []byte {
	acknowledged := []byte{}
	switch control := request[0]; {
	case control == sndNKE:
		m.counted = false
		if request[1] == toSelected {
			m.selected = false
		}
		return acknowledged
	case control&^frameCount == reqUD2 && len(request) == 2:
		m.turn(control & frameCount)
		return m.data()
	case control&^frameCount == sndUD && len(request) > 2:
		return acknowledged
	}
	return nil
}

// turn chooses the telegram: the next one when the frame count bit has changed,
// the last one again when it is the same.
func (m *meterMBus) turn(count byte) {
	switch {
	case !m.counted:
		m.telegram = 0
	case count != m.count:
		m.telegram++
	}
	m.counted, m.count = true, count
	m.access++
}

// data returns the present telegram; after the last one comes the first.
func (m *meterMBus) data() []byte {
	telegrams := m.telegrams()
	m.telegram %= len(telegrams)
	payload := append([]byte{rspUD, m.primary, ciVariable}, m.identity[:]...)
	payload = append(payload, m.access, 0)
	payload = binary.LittleEndian.AppendUint16(payload, 0)
	return append(payload, telegrams[m.telegram]...)
}

// telegrams cuts the records into what a frame holds. All but the last end with the
// mark that more follows.
func (m *meterMBus) telegrams() [][]byte {
	const moreFollows = 0x1F
	out := [][]byte{nil}
	for _, r := range m.records {
		b, err := r.encode(r.value)
		if err != nil {
			continue // it was tried when it was set
		}
		last := len(out) - 1
		if len(out[last])+len(b)+1 > m.most-headerMBus && len(out[last]) > 0 {
			out[last] = append(out[last], moreFollows)
			out, last = append(out, nil), last+1
		}
		out[last] = append(out[last], b...)
	}
	return out
}
