package mbus

import (
	"fmt"
	"time"

	"gengfu/facility"
)

// Function says what a value is of its quantity.
type Function int

// The functions.
const (
	Present Function = iota
	Maximum
	Minimum
	DuringError // what was measured while the meter was in error
)

// ID tells the values of a meter apart.
type ID struct {
	Quantity string // "volume"; what a meter spells out; "vif_6f", "vif_fd_3c" when the code is not known
	Function Function
	Storage  uint64 // 0 is now, others are times before
	Tariff   uint32
	Subunit  uint32

	// Modifiers are the VIFE, in hex, that make it another quantity than its name
	// says and that are not understood: per day, only when positive, maker's own …
	Modifiers string
}

// Record is one value of a meter.
type Record struct {
	ID
	Number  float64
	Unit    string
	Text    string    // of names and numbers of meters
	Time    time.Time // of dates, where the meter stands
	Quality facility.Quality
	Reason  facility.Reason // empty when the quality is good
}

// Find returns the record with the id. It reports false when there is none, and
// when there is more than one, because then nobody knows which is meant.
func Find(records []Record, id ID) (found Record, ok bool) {
	for _, r := range records {
		if r.ID != id {
			continue
		}
		if ok {
			return Record{}, false
		}
		found, ok = r, true
	}
	return found, ok
}

// The DIF that are no data (EN 13757-3, table 6).
const (
	makerData     = 0x0F // until the end
	makerDataMore = 0x1F // until the end, and another telegram follows
	filler        = 0x2F
)

// mostExtensions is how many DIFE or VIFE a record may have.
const mostExtensions = 10

// ParseRecords reads the records of a response. more says that the meter has
// another telegram. When a record cannot be told from the next one, the error is
// ErrMalformed and the records before it are returned with it. A value that cannot be
// read is bad alone: sensor_fault when the meter says that it has none, bad_reply
// otherwise; its number, text and time are then empty and mean nothing. A value
// measured during an error is uncertain.
func ParseRecords(data []byte, zone *time.Location) (records []Record, more bool, err error) {
	c := &cursor{rest: data}
	for len(c.rest) > 0 {
		switch c.rest[0] {
		case makerData, makerDataMore:
			return records, c.rest[0] == makerDataMore, nil
		case filler:
			c.rest = c.rest[1:]
			continue
		}
		at := len(data) - len(c.rest)
		r, err := c.record(zone)
		if err != nil {
			return records, false, fmt.Errorf("record at byte %d: %w", at, err)
		}
		records = append(records, r)
	}
	return records, false, nil
}

// cursor takes bytes off the front of the records.
type cursor struct{ rest []byte }

func (c *cursor) take(n int) ([]byte, error) {
	if n > len(c.rest) {
		return nil, fmt.Errorf("%d bytes are missing: %w", n-len(c.rest), ErrMalformed)
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b, nil
}

func (c *cursor) record(zone *time.Location) (Record, error) {
	info, err := c.dataInfo()
	if err != nil {
		return Record{}, err
	}
	value, err := c.valueInfo()
	if err != nil {
		return Record{}, err
	}
	data, coding, err := c.data(info.coding)
	if err != nil {
		return Record{}, err
	}
	r := Record{ID: info.ID, Unit: value.unit}
	r.Quantity, r.Modifiers = value.quantity, value.modifiers
	value.decode(&r, coding, data, zone)
	return r, nil
}

// dataInfo is a DIF with its DIFE.
type dataInfo struct {
	ID
	coding byte
}

const extended = 0x80 // another byte of the same sort follows

func (c *cursor) dataInfo() (dataInfo, error) {
	dif := c.rest[0]
	c.rest = c.rest[1:]
	d := dataInfo{coding: dif & 0x0F}
	if d.coding == 0x0F {
		return d, fmt.Errorf("DIF %02X is reserved: %w", dif, ErrMalformed)
	}
	d.Function = Function(dif >> 4 & 3)
	d.Storage = uint64(dif >> 6 & 1)
	for i := 0; dif&extended != 0; i++ {
		if i == mostExtensions {
			return d, fmt.Errorf("more than %d DIFE: %w", mostExtensions, ErrMalformed)
		}
		b, err := c.take(1)
		if err != nil {
			return d, err
		}
		dif = b[0]
		d.Storage |= uint64(dif&0x0F) << (4*i + 1)
		d.Tariff |= uint32(dif>>4&3) << (2 * i)
		d.Subunit |= uint32(dif>>6&1) << i
	}
	return d, nil
}

// The codings of data (EN 13757-3, table 4).
const (
	codeNone     = 0x0
	codeReal     = 0x5
	codeSelect   = 0x8 // asks for a readout and has no data
	codeVariable = 0xD
)

// Forms of data of variable length, which the codings above do not have.
const (
	codeText        = 0x10
	codeNegativeBCD = 0x11
	codeBCD         = 0x12
	codeInteger     = 0x13
)

// data takes the data of a coding off, and says what they are: codeNone, codeReal,
// codeText, codeBCD, codeNegativeBCD or codeInteger.
func (c *cursor) data(coding byte) (data []byte, form byte, err error) {
	switch coding {
	case codeNone, codeSelect:
		return nil, codeNone, nil
	case codeReal:
		data, err = c.take(4)
		return data, codeReal, err
	case codeVariable:
		return c.variable()
	}
	lengths := [...]int{1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8, 9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
	data, err = c.take(lengths[coding])
	if coding > codeSelect {
		return data, codeBCD, err
	}
	return data, codeInteger, err
}

// variable takes data off that begin with their length (EN 13757-3, 6.3.4).
func (c *cursor) variable() (data []byte, form byte, err error) {
	const bcdFrom, negativeFrom, integerFrom, reservedFrom = 0xC0, 0xD0, 0xE0, 0xF0
	b, err := c.take(1)
	if err != nil {
		return nil, 0, err
	}
	n := int(b[0])
	switch {
	case n < bcdFrom:
		form = codeText
	case n < negativeFrom:
		form, n = codeBCD, n-bcdFrom
	case n < integerFrom:
		form, n = codeNegativeBCD, n-negativeFrom
	case n < reservedFrom:
		form, n = codeInteger, n-integerFrom
	default:
		return nil, 0, fmt.Errorf("length %02X is reserved: %w", n, ErrMalformed)
	}
	data, err = c.take(n)
	return data, form, err
}
