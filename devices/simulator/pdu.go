package simulator

import (
	"encoding/binary"

	"gengfu/devices/profile"
)

// Function codes that a slave knows, and the exceptions that it answers with
// (Modbus application protocol V1.1b3, chapters 6 and 7).
const (
	readCoils      = 0x01
	readDiscretes  = 0x02
	readHolding    = 0x03
	readInput      = 0x04
	writeCoil      = 0x05
	writeRegister  = 0x06
	writeCoils     = 0x0F
	writeRegisters = 0x10

	illegalFunction = 0x01
	illegalAddress  = 0x02
	illegalValue    = 0x03
	deviceFailure   = 0x04
	deviceBusy      = 0x06
	gatewayTarget   = 0x0B

	maxCoilsWritten     = 1968
	maxRegistersWritten = 123
)

// execute carries out the request, a function code with its data, and returns the
// reply.
func (r *registers) execute(pdu []byte) []byte {
	switch pdu[0] {
	case readCoils:
		return r.readBits(profile.Coil, pdu)
	case readDiscretes:
		return r.readBits(profile.Discrete, pdu)
	case readHolding:
		return r.readRegisters(profile.Holding, pdu)
	case readInput:
		return r.readRegisters(profile.Input, pdu)
	case writeCoil:
		return r.writeOneCoil(pdu)
	case writeRegister:
		return r.writeOneRegister(pdu)
	case writeCoils:
		return r.writeManyCoils(pdu)
	case writeRegisters:
		return r.writeManyRegisters(pdu)
	}
	return exception(pdu, illegalFunction)
}

func exception(pdu []byte, code byte) []byte { return []byte{pdu[0] | 0x80, code} }

// span returns the two numbers after the function code: an address and a count
// or value.
func span(pdu []byte) (address, second int, ok bool) {
	if len(pdu) < 5 {
		return 0, 0, false
	}
	return int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:])), true
}

// exist reports whether the device has all of the registers.
func (r *registers) exist(table profile.Table, address, count int) bool {
	if address+count > 1<<16 {
		return false
	}
	for i := range count {
		if _, ok := r.tables[table][uint16(address+i)]; !ok {
			return false
		}
	}
	return true
}

func (r *registers) readBits(table profile.Table, pdu []byte) []byte {
	address, count, ok := span(pdu)
	if !ok || len(pdu) != 5 || count < 1 || count > profile.MaxBits {
		return exception(pdu, illegalValue)
	}
	if !r.exist(table, address, count) {
		return exception(pdu, illegalAddress)
	}
	data := make([]byte, (count+7)/8)
	for i, w := range r.read(table, address, count) {
		if w != 0 {
			data[i/8] |= 1 << (i % 8)
		}
	}
	return append([]byte{pdu[0], byte(len(data))}, data...)
}

func (r *registers) readRegisters(table profile.Table, pdu []byte) []byte {
	address, count, ok := span(pdu)
	if !ok || len(pdu) != 5 || count < 1 || count > profile.MaxRegisters {
		return exception(pdu, illegalValue)
	}
	words, told := r.mark(table, address, count)
	switch {
	case told:
	case !r.exist(table, address, count):
		return exception(pdu, illegalAddress)
	default:
		words = r.read(table, address, count)
	}
	reply := []byte{pdu[0], byte(2 * count)}
	for _, w := range words {
		reply = binary.BigEndian.AppendUint16(reply, w)
	}
	return reply
}

func (r *registers) writeOneCoil(pdu []byte) []byte {
	address, value, ok := span(pdu)
	if !ok || len(pdu) != 5 || value != 0 && value != 0xFF00 {
		return exception(pdu, illegalValue)
	}
	if !r.exist(profile.Coil, address, 1) {
		return exception(pdu, illegalAddress)
	}
	r.write(profile.Coil, address, []uint16{uint16(value >> 15)})
	return pdu
}

func (r *registers) writeOneRegister(pdu []byte) []byte {
	address, value, ok := span(pdu)
	if !ok || len(pdu) != 5 {
		return exception(pdu, illegalValue)
	}
	if !r.exist(profile.Holding, address, 1) {
		return exception(pdu, illegalAddress)
	}
	r.write(profile.Holding, address, []uint16{uint16(value)})
	return pdu
}

func (r *registers) writeManyCoils(pdu []byte) []byte {
	address, count, ok := span(pdu)
	size := (count + 7) / 8
	if !ok || count < 1 || count > maxCoilsWritten || len(pdu) != 6+size || int(pdu[5]) != size {
		return exception(pdu, illegalValue)
	}
	if !r.exist(profile.Coil, address, count) {
		return exception(pdu, illegalAddress)
	}
	for i := range count {
		r.write(profile.Coil, address+i, []uint16{uint16(pdu[6+i/8] >> (i % 8) & 1)})
	}
	return pdu[:5]
}

func (r *registers) writeManyRegisters(pdu []byte) []byte {
	address, count, ok := span(pdu)
	if !ok || count < 1 || count > maxRegistersWritten || len(pdu) != 6+2*count || int(pdu[5]) != 2*count {
		return exception(pdu, illegalValue)
	}
	if !r.exist(profile.Holding, address, count) {
		return exception(pdu, illegalAddress)
	}
	for i := range count {
		r.write(profile.Holding, address+i, []uint16{binary.BigEndian.Uint16(pdu[6+2*i:])})
	}
	return pdu[:5]
}
