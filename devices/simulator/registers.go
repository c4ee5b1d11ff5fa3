package simulator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// registers is a Modbus device: its four tables. Only registers of its profile,
// those in gaps that the profile allows to be read along, and those that were
// written from outside exist; a request for any other is answered with exception
// 02. A payload is the address, the function code and its data.
type registers struct {
	unit   byte
	limits profile.Limits
	marks  []profile.Mark
	tables map[profile.Table]map[uint16]uint16
}

func newRegisters(p profile.Profile, address string) (face, string, error) {
	n, err := strconv.Atoi(address)
	if err != nil || n < 1 || n > 247 {
		return nil, "", fmt.Errorf("address %s is not 1 to 247", address)
	}
	r := &registers{unit: byte(n), limits: p.Limits, marks: p.Identify, tables: map[profile.Table]map[uint16]uint16{
		profile.Coil: {}, profile.Discrete: {}, profile.Holding: {}, profile.Input: {},
	}}
	for _, pt := range p.Points {
		t, ok := r.tables[pt.Table]
		if !ok || pt.Words() == 0 {
			return nil, "", fmt.Errorf("point %s stands in no table", pt.ID)
		}
		for i := range pt.Words() {
			t[uint16(pt.Address+i)] = 0
		}
	}
	r.fillGaps(profile.Holding)
	r.fillGaps(profile.Input)
	return r, strconv.Itoa(n), nil
}

// fillGaps makes the registers exist that the profile allows to be read along.
func (r *registers) fillGaps(t profile.Table) {
	addresses := slices.Sorted(maps.Keys(r.tables[t]))
	for i := 1; i < len(addresses); i++ {
		from, to := addresses[i-1], addresses[i]
		if int(to-from)-1 > r.limits.Gap {
			continue
		}
		for a := from + 1; a < to; a++ {
			if !r.forbidden(t, int(a)) {
				r.tables[t][a] = 0
			}
		}
	}
}

func (r *registers) forbidden(t profile.Table, address int) bool {
	return slices.ContainsFunc(r.limits.Forbidden, func(f profile.Range) bool {
		return f.Table == t && address >= f.From && address <= f.To
	})
}

func (r *registers) protocol() profile.Protocol { return profile.Modbus }
func (r *registers) preamble() int              { return 0 }

func (r *registers) set(pt profile.Point, value float64) error {
	words := r.read(pt.Table, pt.Address, pt.Words())
	if err := pt.Put(words, value); err != nil {
		return err
	}
	r.write(pt.Table, pt.Address, words)
	return nil
}

func (r *registers) get(pt profile.Point) (float64, error) {
	value, _, reason := pt.Decode(r.read(pt.Table, pt.Address, pt.Words()))
	return value, because(reason)
}

// because is the error of a value that is not good.
func because(reason facility.Reason) error {
	if reason == "" {
		return nil
	}
	return errors.New(string(reason))
}

const broadcastUnit = 0

func (r *registers) attends(request []byte) (attends, replies bool) {
	return request[0] == r.unit || request[0] == broadcastUnit, request[0] == r.unit
}

func (r *registers) respond(request []byte) []byte {
	return append([]byte{r.unit}, r.execute(request[1:])...)
}

func (r *registers) refuse(request []byte, f Fault) []byte {
	code := f.Code
	switch {
	case f.Kind == Busy:
		code = deviceBusy
	case code == 0:
		code = deviceFailure
	}
	return append([]byte{r.unit}, exception(request[1:], code)...)
}

// mark returns what tells the model to whoever asks for exactly these registers. In
// a longer read some models have something else there.
func (r *registers) mark(table profile.Table, address, count int) ([]uint16, bool) {
	for _, m := range r.marks {
		if m.Table == table && m.Address == address && m.Words() == count {
			return m.Shown(), true
		}
	}
	return nil, false
}

func (r *registers) read(table profile.Table, address, count int) []uint16 {
	words := make([]uint16, count)
	for i := range words {
		words[i] = r.tables[table][uint16(address+i)]
	}
	return words
}

func (r *registers) write(table profile.Table, address int, words []uint16) {
	for i, w := range words {
		r.tables[table][uint16(address+i)] = w
	}
}
