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

// respond carries out the request, a function code with its data, and returns
// the reply.
func (s *Slave) respond(pdu []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch pdu[0] {
	case readCoils:
		return s.readBits(profile.Coil, pdu)
	case readDiscretes:
		return s.readBits(profile.Discrete, pdu)
	case readHolding:
		return s.readRegisters(profile.Holding, pdu)
	case readInput:
		return s.readRegisters(profile.Input, pdu)
	case writeCoil:
		return s.writeOneCoil(pdu)
	case writeRegister:
		return s.writeOneRegister(pdu)
	case writeCoils:
		return s.writeManyCoils(pdu)
	case writeRegisters:
		return s.writeManyRegisters(pdu)
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
func (s *Slave) exist(table profile.Table, address, count int) bool {
	if address+count > 1<<16 {
		return false
	}
	for i := range count {
		if _, ok := s.tables[table][uint16(address+i)]; !ok {
			return false
		}
	}
	return true
}

func (s *Slave) readBits(table profile.Table, pdu []byte) []byte {
	address, count, ok := span(pdu)
	if !ok || len(pdu) != 5 || count < 1 || count > profile.MaxBits {
		return exception(pdu, illegalValue)
	}
	if !s.exist(table, address, count) {
		return exception(pdu, illegalAddress)
	}
	data := make([]byte, (count+7)/8)
	for i, w := range s.read(table, address, count) {
		if w != 0 {
			data[i/8] |= 1 << (i % 8)
		}
	}
	return append([]byte{pdu[0], byte(len(data))}, data...)
}

func (s *Slave) readRegisters(table profile.Table, pdu []byte) []byte {
	address, count, ok := span(pdu)
	if !ok || len(pdu) != 5 || count < 1 || count > profile.MaxRegisters {
		return exception(pdu, illegalValue)
	}
	if !s.exist(table, address, count) {
		return exception(pdu, illegalAddress)
	}
	reply := []byte{pdu[0], byte(2 * count)}
	for _, w := range s.read(table, address, count) {
		reply = binary.BigEndian.AppendUint16(reply, w)
	}
	return reply
}

func (s *Slave) writeOneCoil(pdu []byte) []byte {
	address, value, ok := span(pdu)
	if !ok || len(pdu) != 5 || value != 0 && value != 0xFF00 {
		return exception(pdu, illegalValue)
	}
	if !s.exist(profile.Coil, address, 1) {
		return exception(pdu, illegalAddress)
	}
	s.write(profile.Coil, address, []uint16{uint16(value >> 15)})
	return pdu
}

func (s *Slave) writeOneRegister(pdu []byte) []byte {
	address, value, ok := span(pdu)
	if !ok || len(pdu) != 5 {
		return exception(pdu, illegalValue)
	}
	if !s.exist(profile.Holding, address, 1) {
		return exception(pdu, illegalAddress)
	}
	s.write(profile.Holding, address, []uint16{uint16(value)})
	return pdu
}

func (s *Slave) writeManyCoils(pdu []byte) []byte {
	address, count, ok := span(pdu)
	size := (count + 7) / 8
	if !ok || count < 1 || count > maxCoilsWritten || len(pdu) != 6+size || int(pdu[5]) != size {
		return exception(pdu, illegalValue)
	}
	if !s.exist(profile.Coil, address, count) {
		return exception(pdu, illegalAddress)
	}
	for i := range count {
		s.write(profile.Coil, address+i, []uint16{uint16(pdu[6+i/8] >> (i % 8) & 1)})
	}
	return pdu[:5]
}

func (s *Slave) writeManyRegisters(pdu []byte) []byte {
	address, count, ok := span(pdu)
	if !ok || count < 1 || count > maxRegistersWritten || len(pdu) != 6+2*count || int(pdu[5]) != 2*count {
		return exception(pdu, illegalValue)
	}
	if !s.exist(profile.Holding, address, count) {
		return exception(pdu, illegalAddress)
	}
	for i := range count {
		s.write(profile.Holding, address+i, []uint16{binary.BigEndian.Uint16(pdu[6+2*i:])})
	}
	return pdu[:5]
}

// answer is what goes back on the wire for one request: nothing when silent.
type answer struct {
	pdu   []byte
	fault Fault
}

// serve carries out a request under the present fault. ok is false when there is
// no reply.
func (s *Slave) serve(pdu []byte) (answer, bool) {
	f := s.takeFault()
	switch f.Kind {
	case Silent:
		return answer{}, false
	case Exception:
		code := f.Code
		if code == 0 {
			code = deviceFailure
		}
		return answer{pdu: exception(pdu, code), fault: f}, true
	case Busy:
		return answer{pdu: exception(pdu, deviceBusy), fault: f}, true
	}
	return answer{pdu: s.respond(pdu), fault: f}, true
}
