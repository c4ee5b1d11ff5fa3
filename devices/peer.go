package devices

import (
	"context"
	"errors"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/line"
	"gengfu/devices/mbus"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// peer is one device as its protocol knows it. Points are meant by their index in
// the profile.
type peer interface {
	// plan returns what reads the first of the points, and others of them along with
	// it.
	plan(points []int) question

	// ask reads the points of the question and returns their values in its order.
	ask(ctx context.Context, q question, t bus.Timing) ([]value, error)

	// refused takes in that the device refused the question. It reports true when it
	// will plan otherwise from now on, and nothing is yet known of the points.
	refused(q question, err error) bool

	// bound says how much of the line's time one question should take at most, where
	// it can be divided; 0 is without bound.
	bound(longest time.Duration)

	// cost is how long the question takes on the line with a usual device.
	cost(q question, pause time.Duration) time.Duration

	// recall and keep pass on what refusals and trials have taught.
	recall(Learned)
	keep() Learned
}

// question is one reading: of a stretch of registers, of an item, or of all records.
type question struct {
	points []int
	batch  modbus.Batch // of Modbus
}

// value is what a device says of a point.
type value struct {
	number  float64
	quality facility.Quality
	reason  facility.Reason
}

func badValue(r facility.Reason) value { return value{quality: facility.Bad, reason: r} }

// outcome is what became of a question.
type outcome int

const (
	wasAnswered  outcome = iota
	wasRefused           // the device is there and does not give that
	wasPostponed         // the device is there and asks for patience
	wasSpoilt            // something came that cannot be used
	wasSilent            // nothing came
	wasBroken            // the line failed
)

func judge(err error) outcome {
	var slave modbus.Exception
	var meter645 dlt645.Refusal
	var meter188 cjt188.Refusal
	var meterMBus mbus.Refusal
	switch {
	case err == nil:
		return wasAnswered
	case errors.Is(err, line.ErrBroken):
		return wasBroken
	case errors.Is(err, bus.ErrGarbled):
		return wasSpoilt
	case errors.Is(err, bus.ErrTimeout):
		return wasSilent
	case errors.As(err, &slave):
		return ofException(slave.Code)
	case errors.As(err, &meterMBus) && meterMBus.Busy():
		return wasPostponed
	case errors.As(err, &meter645), errors.As(err, &meter188), errors.As(err, &meterMBus):
		return wasRefused
	}
	return wasBroken
}

func ofException(code byte) outcome {
	switch code {
	case modbus.PathUnavailable, modbus.TargetSilent:
		return wasSilent
	case modbus.Acknowledge, modbus.Busy:
		return wasPostponed
	}
	return wasRefused
}

// masters are those who ask on one line. All but that of Modbus TCP share its bus.
type masters struct {
	wait   func(ctx context.Context, until time.Time) error
	bus    *bus.Bus // nil on Modbus TCP
	modbus *modbus.Master
	dlt645 *dlt645.Master
	cjt188 *cjt188.Master
	mbus   *mbus.Master
}

// newMasters returns the masters of a line.
func newMasters(cfg LineConfig, trace func(bus.Exchange), wait func(context.Context, time.Time) error) *masters {
	if wait == nil {
		wait = line.Wait
	}
	opts := modbus.Options{Framing: modbus.TCP, Timeout: cfg.timeout(), Gap: cfg.Gap, Trace: trace, Wait: wait}
	if cfg.Protocol == ModbusTCP {
		return &masters{wait: wait, modbus: modbus.NewMaster(opts)}
	}
	b := bus.New(bus.Options{Wire: cfg.wire(), Echo: cfg.Echo, Trace: trace, Wait: wait})
	opts.Framing, opts.Bus = cfg.framing(), b
	return &masters{
		wait: wait, bus: b, modbus: modbus.NewMaster(opts),
		dlt645: dlt645.NewMaster(b, dlt645.Options{Timeout: cfg.Timeout}),
		cjt188: cjt188.NewMaster(b, cjt188.Options{Timeout: cfg.Timeout}),
		mbus:   mbus.NewMaster(b, mbus.Options{Timeout: cfg.Timeout}),
	}
}

// trace has see called with every frame from now on; nil ends it.
func (m *masters) trace(see func(bus.Exchange)) {
	if m.bus != nil {
		m.bus.Trace(see)
	}
	m.modbus.Trace(see)
}

// attach gives the masters a newly opened line.
func (m *masters) attach(conn bus.Conn) {
	if m.bus != nil {
		m.bus.Attach(conn)
	}
	m.modbus.Attach(conn)
}

// peer returns the device as the master of its protocol knows it. The model has its
// defaults.
func (m *masters) peer(l LineConfig, d DeviceConfig, model profile.Profile) peer {
	switch model.Language() {
	case profile.DLT645:
		return newMeter645(m.dlt645, l, d, model)
	case profile.CJT188:
		return newMeter188(m.cjt188, l, d, model)
	case profile.MBus:
		return newMeterMBus(m.mbus, l, d, model)
	}
	return newModbusPeer(m.modbus, l, d, model)
}
