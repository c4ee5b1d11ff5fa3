package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// RawFrame is one request as it went over the line, with what came back.
type RawFrame struct {
	At      time.Time
	Request []byte
	Reply   []byte // everything that was received; nil for nothing
	Took    time.Duration
	Err     error
}

// ReadOnce opens the line, reads every point of the device once and closes the
// line. Readings are in the order of the profile; those that the device did not
// give are bad. The error says why the line could not be used or that the device
// gave nothing at all; frames are returned also then.
func ReadOnce(ctx context.Context, l LineConfig, d DeviceConfig, p profile.Profile) (_ []facility.Reading, frames []RawFrame, err error) {
	if l.Protocol != ModbusRTU && l.Protocol != ModbusTCP {
		return nil, nil, fmt.Errorf("read %s: a line with %q has no devices to read", d.ID, l.Protocol)
	}
	conn, err := open(ctx, l)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", d.ID, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	trace := func(x bus.Exchange) { frames = append(frames, RawFrame(x)) }
	opts := modbus.Options{Framing: modbus.TCP, Timeout: l.timeout(), Gap: l.Gap, Trace: trace}
	if l.Protocol == ModbusRTU {
		opts.Framing = modbus.RTU
		opts.Bus = bus.New(bus.Options{Wire: l.wire(), Echo: l.Echo, Trace: trace})
		opts.Bus.Attach(conn)
	}
	m := modbus.NewMaster(opts)
	m.Attach(conn)
	o := newOnce(m, d, p)
	err = o.readAll(ctx)
	return o.readings, frames, err
}

// once is the reading of one device, all points, one time.
type once struct {
	master   *modbus.Master
	device   DeviceConfig
	model    profile.Profile
	wants    []modbus.Want
	cuts     map[modbus.Cut]bool
	readings []facility.Reading
	answers  int
}

func newOnce(m *modbus.Master, d DeviceConfig, p profile.Profile) *once {
	d.Profile = p.ID
	o := &once{
		master: m, device: d, cuts: map[modbus.Cut]bool{},
		model: d.model(map[string]profile.Profile{p.ID: p}),
	}
	for _, pt := range o.model.Points {
		o.wants = append(o.wants, wantOf(pt))
		o.readings = append(o.readings, facility.Reading{
			Point: facility.PointID{Device: d.ID, Quantity: pt.ID}, Unit: pt.Unit,
			Quality: facility.Bad, Reason: facility.NoAnswer,
		})
	}
	return o
}

func (o *once) readAll(ctx context.Context) error {
	var last error
	for _, b := range modbus.Plan(o.wants, o.terms()) {
		if err := o.read(ctx, b); err != nil {
			if ctx.Err() != nil || errors.Is(err, line.ErrBroken) {
				return fmt.Errorf("read %s: %w", o.device.ID, err)
			}
			last = err
			if o.answers == 0 {
				break // the rest would only cost more timeouts
			}
		}
	}
	if o.answers == 0 && last != nil {
		return fmt.Errorf("read %s: %w", o.device.ID, last)
	}
	return nil
}

// tries is how often a request is made when its reply does not come or is spoilt.
const tries = 2

func (o *once) read(ctx context.Context, b modbus.Batch) error {
	words, err := o.ask(ctx, b)
	var refused modbus.Exception
	switch {
	case err == nil:
		o.answers++
		o.book(b, words)
		return nil
	case errors.As(err, &refused):
		o.answers++
		return o.readParts(ctx, b, refused)
	case errors.Is(err, modbus.ErrGarbled):
		o.spoil(b, facility.BadReply)
	default:
		o.spoil(b, facility.NoAnswer)
	}
	return err
}

func (o *once) terms() modbus.Terms {
	return modbus.Terms{Limits: o.model.Limits, Cuts: o.cuts}
}

func (o *once) ask(ctx context.Context, b modbus.Batch) (words []uint16, err error) {
	unit, _ := o.device.Address.Unit()
	for range tries {
		words, err = o.master.Read(ctx, b.Request(unit),
			modbus.Timing{Timeout: o.model.Limits.Timeout, Pause: o.model.Limits.Pause})
		if !errors.Is(err, modbus.ErrTimeout) && !errors.Is(err, modbus.ErrGarbled) {
			break
		}
	}
	return words, err
}

// readParts reads the two halves of a batch that the device refuses as a whole.
func (o *once) readParts(ctx context.Context, b modbus.Batch, refused modbus.Exception) error {
	cut, ok := modbus.Split(b, o.wants)
	if !ok || refused.Code != modbus.IllegalAddress && refused.Code != modbus.IllegalValue {
		o.spoil(b, facility.DeviceError)
		return nil
	}
	o.cuts[cut] = true
	part := make([]modbus.Want, len(b.Wants))
	for i, w := range b.Wants {
		part[i] = o.wants[w]
	}
	for _, half := range modbus.Plan(part, o.terms()) {
		whole := slices.Clone(b.Wants)
		for i, w := range half.Wants {
			half.Wants[i] = whole[w]
		}
		if err := o.read(ctx, half); err != nil {
			return err
		}
	}
	return nil
}

func (o *once) book(b modbus.Batch, words []uint16) {
	now := time.Now().UTC().Round(0)
	for _, w := range b.Wants {
		r := &o.readings[w]
		r.Time = now
		r.Value, r.Quality, r.Reason = o.model.Points[w].Decode(b.Of(o.wants[w], words))
	}
}

func (o *once) spoil(b modbus.Batch, reason facility.Reason) {
	now := time.Now().UTC().Round(0)
	for _, w := range b.Wants {
		o.readings[w].Time, o.readings[w].Reason = now, reason
	}
}
