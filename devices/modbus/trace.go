package modbus

import "gengfu/devices/bus"

// Trace has see called with every frame over TCP from now on; nil ends it. On a bus
// it is the bus that is traced.
func (m *Master) Trace(see func(bus.Exchange)) { m.opts.Trace = see }
