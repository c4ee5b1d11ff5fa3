// Package sniff reads what others say on a line: it cuts a stream of bytes into the
// frames of all protocols of the field, pairs replies with their requests, and says
// what they mean. It never asks anything, and does no I/O.
package sniff

import (
	"fmt"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
)

// Protocol is how a frame is written.
type Protocol string

// The protocols.
const (
	ModbusRTU   Protocol = "modbus-rtu"
	ModbusASCII Protocol = "modbus-ascii"
	ModbusTCP   Protocol = "modbus-tcp" // with the header of a socket; never on a serial line
	DLT645      Protocol = "dlt645"
	CJT188      Protocol = "cjt188"
	MBus        Protocol = "mbus"
)

// Modbus reports whether it is one of the three ways of writing Modbus.
func (p Protocol) Modbus() bool { return p == ModbusRTU || p == ModbusASCII || p == ModbusTCP }

// Side is who sent a frame.
type Side string

// The sides.
const (
	Request Side = "request"
	Reply   Side = "reply"
)

// Frame is one frame with what can be said of it alone.
type Frame struct {
	Protocol Protocol
	Side     Side
	Address  string // of the slave or meter, as people write it
	Bytes    []byte // as it was on the wire, without a preamble
	Says     string // in words
	Refused  bool   // the slave does not do what was asked

	modbus pdu
	dlt645 dlt645.Frame
	cjt188 cjt188.Frame
	mbus   mbus.Frame
}

// answers reports whether the frame may be the reply to the request. A nil request
// is answered by none.
func (f *Frame) answers(request *Frame) bool {
	if request == nil || f.Side != Reply || f.Protocol != request.Protocol {
		return false
	}
	switch f.Protocol {
	case DLT645:
		return f.dlt645.Control.Function() == request.dlt645.Control.Function() && request.dlt645.Address.Covers(f.dlt645.Address)
	case CJT188:
		return f.cjt188.Control.Function() == request.cjt188.Control.Function() && request.cjt188.Address.Covers(f.cjt188.Address)
	case MBus:
		return mbusAnswers(request.mbus, f.mbus)
	}
	return f.Address == request.Address && f.modbus.function == request.modbus.function &&
		(f.Protocol != ModbusTCP || f.modbus.transaction == request.modbus.transaction)
}

// code is the reason of a refusal, -1 when it gives none.
func (f *Frame) code() int {
	data := f.modbus.data
	switch f.Protocol {
	case DLT645:
		data = f.dlt645.Data
	case CJT188:
		data = f.cjt188.Data
	case MBus:
		data = f.mbus.Data
	}
	if len(data) == 0 {
		return -1
	}
	return int(data[len(data)-1])
}

// MeterType returns the type of a CJ/T 188 meter and the medium of an M-Bus one that
// the frame names, 0 when it names none.
func (f *Frame) MeterType() byte {
	switch {
	case f.Protocol == CJT188:
		return byte(f.cjt188.Type)
	case f.Protocol == MBus && f.mbus.CI == 0x72 && len(f.mbus.Data) >= len(mbus.Secondary{}):
		return f.mbus.Data[7]
	}
	return 0
}

// Secondary returns the secondary address that an M-Bus reply names.
func (f *Frame) Secondary() (mbus.Secondary, bool) {
	if f.Protocol != MBus || f.Side != Reply || f.mbus.CI != 0x72 || len(f.mbus.Data) < len(mbus.Secondary{}) {
		return mbus.Secondary{}, false
	}
	return mbus.Secondary(f.mbus.Data), true
}

// mbusAnswers leaves the address alone where a selected meter answers with its own.
func mbusAnswers(request, reply mbus.Frame) bool {
	if reply.Kind == mbus.Ack {
		return request.Kind == mbus.Long || request.Kind == mbus.Short && request.Control == 0x40
	}
	asked := request.Address
	return asked == reply.Address || asked == mbus.Selected || asked == mbus.Anyone
}

func frame645(f dlt645.Frame, raw []byte) Frame {
	out := Frame{Protocol: DLT645, Side: Request, Address: f.Address.String(), Bytes: raw, dlt645: f}
	if f.Control.Reply() {
		out.Side = Reply
	}
	out.Refused = f.Control.Reply() && f.Control.Refused()
	di := ""
	if d, ok := itemOf(f); ok {
		di = " item " + d.String()
	}
	switch function := f.Control.Function(); {
	case out.Refused && len(f.Data) == 1:
		out.Says = dlt645.Refusal{Code: f.Data[0]}.Error()
	case out.Side == Reply && f.Control.More():
		out.Says = fmt.Sprintf("gives%s, and has more", di)
	case out.Side == Reply:
		out.Says = "gives" + di
	case function == dlt645.ReadAddress:
		out.Says = "which address is there?"
	case di != "":
		out.Says = "read" + di
	default:
		out.Says = fmt.Sprintf("control %02X", byte(f.Control))
	}
	return out
}

// itemOf returns the identifier that a frame begins with.
func itemOf(f dlt645.Frame) (dlt645.DI, bool) {
	little := func(n int) (code uint32) {
		for i := range n {
			code |= uint32(f.Data[i]) << (8 * i)
		}
		return code
	}
	switch function := f.Control.Function(); {
	case (function == dlt645.ReadData || function == dlt645.ReadFollowing) && len(f.Data) >= 4:
		return dlt645.DI{Code: little(4)}, true
	case (function == dlt645.ReadData1997 || function == dlt645.ReadFollowing1997) && len(f.Data) >= 2:
		return dlt645.DI{Edition: dlt645.Edition1997, Code: little(2)}, true
	}
	return dlt645.DI{}, false
}

func frame188(f cjt188.Frame, raw []byte) Frame {
	out := Frame{Protocol: CJT188, Side: Request, Address: f.Address.String(), Bytes: raw, cjt188: f}
	if f.Control.Reply() {
		out.Side = Reply
	}
	out.Refused = f.Control.Reply() && f.Control.Refused()
	di := ""
	if len(f.Data) >= 2 {
		di = fmt.Sprintf(" item %02X%02X", f.Data[0], f.Data[1])
	}
	switch {
	case out.Refused:
		out.Says = cjt188.Refusal{Function: f.Control.Function(), Body: f.Data}.Error()
	case out.Side == Reply:
		out.Says = fmt.Sprintf("type %02X gives%s", byte(f.Type), di)
	case f.Control.Function() == cjt188.ReadAddress:
		out.Says = "which address is there?"
	case f.Control.Function() == cjt188.ReadData:
		out.Says = fmt.Sprintf("type %02X: read%s", byte(f.Type), di)
	default:
		out.Says = fmt.Sprintf("type %02X: control %02X%s", byte(f.Type), byte(f.Control), di)
	}
	return out
}

func frameMBus(f mbus.Frame, raw []byte) Frame {
	out := Frame{Protocol: MBus, Side: Request, Address: fmt.Sprint(f.Address), Bytes: raw, mbus: f}
	const fromMaster = 0x40
	switch {
	case f.Kind == mbus.Ack:
		out.Side, out.Address, out.Says = Reply, "", "acknowledged"
	case f.Kind == mbus.Short && f.Control == fromMaster:
		out.Says = "initialise"
	case f.Kind == mbus.Short:
		out.Says = "ask for data"
	case f.Control&fromMaster != 0:
		out.Says = fmt.Sprintf("send data, CI %02X", f.CI)
		if f.CI == 0x52 && len(f.Data) == len(mbus.Secondary{}) {
			out.Says = "select " + mbus.Secondary(f.Data).String()
		}
	default:
		out.Side = Reply
		out.Refused = f.CI == 0x70
		out.Says = fmt.Sprintf("gives %d bytes, CI %02X", len(f.Data), f.CI)
		if f.CI == 0x72 && len(f.Data) >= len(mbus.Secondary{}) {
			out.Says = fmt.Sprintf("meter %s gives %d bytes", mbus.Secondary(f.Data), len(f.Data))
		}
	}
	return out
}
