package devices

import (
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/line"
	"gengfu/devices/mbus"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
)

// Defaults of a line.
const (
	defaultSerialTimeout = time.Second
	defaultTCPTimeout    = 1500 * time.Millisecond
	defaultGap           = 10 * time.Millisecond
	meterGap             = 20 * time.Millisecond // before a request to a meter of DL/T 645, CJ/T 188 or M-Bus

	// A slave that answers within 30 ms for days may yet take its time once, when it
	// writes its memory.
	leastSerialTimeout = 250 * time.Millisecond
	leastTCPTimeout    = 500 * time.Millisecond

	// viaServer is what a serial server and the network may add to a meter's time.
	viaServer = 500 * time.Millisecond
)

// timeout returns how long a Modbus slave of the line has to begin its reply.
func (c LineConfig) timeout() time.Duration {
	switch {
	case c.Timeout != 0:
		return c.Timeout
	case c.TCP != nil:
		return defaultTCPTimeout
	}
	return defaultSerialTimeout
}

// leastTimeout returns what a timeout is never shortened below.
func (c LineConfig) leastTimeout() time.Duration {
	switch {
	case c.TimeoutMin != 0:
		return c.TimeoutMin
	case c.TCP != nil:
		return leastTCPTimeout
	}
	return leastSerialTimeout
}

// framing returns how Modbus is wrapped on the line.
func (c LineConfig) framing() modbus.Framing {
	switch c.Protocol {
	case ModbusTCP:
		return modbus.TCP
	case ModbusASCII:
		return modbus.ASCII
	}
	return modbus.RTU
}

// wire returns how the bytes of the line are timed.
func (c LineConfig) wire() bus.Wire {
	w := bus.Wire{Gap: c.Gap}
	switch {
	case c.Gap != 0:
	case c.Protocol == ModbusRTU, c.Protocol == ModbusASCII:
		w.Gap = defaultGap
	case c.Protocol.ofMeters():
		w.Gap = meterGap
	}
	switch {
	case c.Serial != nil:
		w.Character = c.Serial.Character()
	case c.TCP != nil && c.TCP.Baud > 0:
		w.Character = line.Serial{Baud: c.TCP.Baud}.Character()
	}
	return w
}

// timingOf returns how the device is asked: as its configuration says, then its
// profile, then its line, then its protocol.
func timingOf(l LineConfig, d DeviceConfig, model profile.Profile) bus.Timing {
	t := bus.Timing{Timeout: first(d.Timeout, model.Limits.Timeout, l.Timeout, usual(l, model.Language())), Pause: pauseOf(l, d, model)}
	t.Pace = bus.NewPace(l.leastTimeout(), t.Timeout)
	return t
}

// pauseOf returns the silence before a request to the device; 0 is the line's.
func pauseOf(l LineConfig, d DeviceConfig, model profile.Profile) time.Duration {
	p := first(d.Gap, model.Limits.Pause)
	if p == 0 && l.Gap == 0 && model.Language() != profile.Modbus {
		return meterGap
	}
	return p
}

// usual returns how long a device of the protocol has to begin its reply.
func usual(l LineConfig, p profile.Protocol) (t time.Duration) {
	switch p {
	case profile.DLT645:
		t = dlt645.ReplyTime
	case profile.CJT188:
		t = cjt188.ReplyTime
	case profile.MBus:
		t = mbus.ReplyTime(l.wire())
		if l.TCP == nil || l.TCP.Baud == 0 {
			return t
		}
		return t + l.wire().Of(mbus.MaxData) + viaServer // it may keep a telegram until it is whole
	default:
		return l.timeout()
	}
	if l.TCP != nil {
		t += viaServer
	}
	return t
}

func first(times ...time.Duration) time.Duration {
	for _, t := range times {
		if t != 0 {
			return t
		}
	}
	return 0
}
