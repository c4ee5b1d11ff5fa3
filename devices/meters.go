package devices

import (
	"context"
	"fmt"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// meterTurnaround is what a usual meter of DL/T 645 or CJ/T 188 takes before it
// answers.
const meterTurnaround = 100 * time.Millisecond

// together returns the points that stand at the place of the first.
func together[P comparable](points []int, place func(point int) P) []int {
	var out []int
	for _, p := range points {
		if place(p) == place(points[0]) {
			out = append(out, p)
		}
	}
	return out
}

// unlearning is for the peers whose refusals teach nothing.
type unlearning struct{}

func (unlearning) refused(question, error) bool { return false }
func (unlearning) bound(time.Duration)          {}
func (unlearning) recall(Learned)               {}
func (unlearning) keep() Learned                { return Learned{} }

// meter645 is an electricity meter of DL/T 645.
type meter645 struct {
	unlearning
	master  *dlt645.Master
	address dlt645.Address
	wire    bus.Wire
	points  []profile.Point
	places  []profile.Place645
}

var _ peer = (*meter645)(nil)

func newMeter645(m *dlt645.Master, l LineConfig, d DeviceConfig, model profile.Profile) *meter645 {
	p := &meter645{master: m, wire: l.wire(), points: model.Points}
	p.address, _ = dlt645.ParseAddress(string(d.Address)) // Validate has looked at both
	for _, pt := range model.Points {
		at, _ := pt.DLT645()
		p.places = append(p.places, at)
	}
	return p
}

func (p *meter645) plan(points []int) question {
	return question{points: together(points, func(i int) dlt645.DI { return p.places[i].DI })}
}

func (p *meter645) ask(ctx context.Context, q question, t bus.Timing) ([]value, error) {
	data, err := p.master.Read(ctx, p.address, p.places[q.points[0]].DI, t)
	if err != nil {
		return nil, err
	}
	values := make([]value, len(q.points))
	for i, pt := range q.points {
		values[i] = p.value(pt, data)
	}
	return values, nil
}

// value decodes the item as the point says, which may have a format of its own.
func (p *meter645) value(pt int, data []byte) value {
	all, err := p.places[pt].Item.Decode(data, time.UTC)
	if err != nil {
		return badValue(facility.BadReply)
	}
	for _, d := range all {
		if d.Name == p.places[pt].Value {
			var v value
			v.number, v.quality, v.reason = p.points[pt].Finish(d.Number, d.Quality, d.Reason)
			return v
		}
	}
	return badValue(facility.DeviceError) // a meter of one phase has blocks of one
}

func (p *meter645) cost(q question, pause time.Duration) time.Duration {
	di := p.places[q.points[0]].DI
	return p.wire.Of(dlt645.RequestLength(di)+dlt645.ReplyLength(di)) + meterTurnaround + max(p.wire.Silence(), pause)
}

// meter188 is a water, heat or gas meter of CJ/T 188.
type meter188 struct {
	master     *cjt188.Master
	meter      cjt188.Meter
	orderKnown bool
	dialect    *profile.Dialect
	wire       bus.Wire
	points     []profile.Point
	places     []profile.Place188
}

var _ peer = (*meter188)(nil)

func newMeter188(m *cjt188.Master, l LineConfig, d DeviceConfig, model profile.Profile) *meter188 {
	p := &meter188{master: m, dialect: model.CJT188, wire: l.wire(), points: model.Points}
	a, _ := cjt188.ParseAddress(string(d.Address)) // Validate has looked at both
	p.meter, p.orderKnown = model.CJT188.Meter(a)
	for _, pt := range model.Points {
		at, _ := pt.CJT188()
		p.places = append(p.places, at)
	}
	return p
}

func (p *meter188) plan(points []int) question {
	return question{points: together(points, func(i int) cjt188.DI { return p.places[i].DI })}
}

func (p *meter188) ask(ctx context.Context, q question, t bus.Timing) ([]value, error) {
	di := p.places[q.points[0]].DI
	reply, err := p.master.Read(ctx, p.meter, p.orderKnown, di, t)
	if err != nil {
		return nil, err
	}
	layout, ok := p.dialect.Layout(reply.Type, di)
	if !ok {
		return nil, fmt.Errorf("meter %s of type %02X has no item %s that is known: %w", reply.Address, byte(reply.Type), di, bus.ErrGarbled)
	}
	all, err := layout.Decode(reply.Data, time.UTC)
	if err != nil {
		return nil, fmt.Errorf("meter %s item %s: %w: %w", reply.Address, di, bus.ErrGarbled, err)
	}
	values := make([]value, len(q.points))
	for i, pt := range q.points {
		values[i] = badValue(facility.DeviceError)
		for _, d := range all {
			if d.Name == p.places[pt].Value {
				v := &values[i]
				v.number, v.quality, v.reason = p.points[pt].Finish(d.Number, d.Quality, d.Reason)
			}
		}
	}
	return values, nil
}

func (p *meter188) refused(question, error) bool { return false }
func (p *meter188) bound(time.Duration)          {}

func (p *meter188) cost(q question, pause time.Duration) time.Duration {
	bytes := cjt188.RequestLength + cjt188.ReplyLength(p.meter.Type, p.places[q.points[0]].DI)
	return p.wire.Of(bytes) + meterTurnaround + max(p.wire.Silence(), pause)
}

func (p *meter188) recall(l Learned) {
	switch l.Order {
	case profile.HighFirst:
		p.master.Learn(p.meter.Address, cjt188.HighFirst)
	case profile.LowFirst:
		p.master.Learn(p.meter.Address, cjt188.LowFirst)
	}
}

func (p *meter188) keep() Learned {
	order, learned := p.master.Learned(p.meter.Address)
	switch {
	case p.orderKnown || !learned:
		return Learned{}
	case order == cjt188.LowFirst:
		return Learned{Order: profile.LowFirst}
	}
	return Learned{Order: profile.HighFirst}
}

// meterMBus is a meter of the wired M-Bus. One readout gives all that it has.
type meterMBus struct {
	unlearning
	master    *mbus.Master
	primary   byte
	secondary *mbus.Secondary // instead of the primary address
	wire      bus.Wire
	points    []profile.Point
	records   []mbus.ID
}

var _ peer = (*meterMBus)(nil)

func newMeterMBus(m *mbus.Master, l LineConfig, d DeviceConfig, model profile.Profile) *meterMBus {
	p := &meterMBus{master: m, wire: l.wire(), points: model.Points}
	if a, err := d.Address.byProtocol(profile.MBus); err == nil && len(a) > len("250") {
		s, _ := mbus.ParseSecondary(string(a)) // byProtocol has parsed it
		p.secondary = &s
	}
	p.primary, _ = d.Address.Unit()
	for _, pt := range model.Points {
		id, _ := pt.MBus()
		p.records = append(p.records, id)
	}
	return p
}

func (p *meterMBus) plan(points []int) question { return question{points: points} }

func (p *meterMBus) ask(ctx context.Context, q question, t bus.Timing) ([]value, error) {
	records, err := p.read(ctx, t)
	if err != nil {
		return nil, err
	}
	values := make([]value, len(q.points))
	for i, pt := range q.points {
		r, ok := mbus.Find(records, p.records[pt])
		if !ok {
			values[i] = badValue(facility.DeviceError)
			continue
		}
		v := &values[i]
		v.number, v.quality, v.reason = p.points[pt].FinishIn(r.Number, r.Unit, r.Quality, r.Reason)
	}
	return values, nil
}

func (p *meterMBus) read(ctx context.Context, t bus.Timing) (records []mbus.Record, err error) {
	if p.secondary != nil {
		_, records, err = p.master.ReadSecondary(ctx, *p.secondary, t)
	} else {
		_, records, err = p.master.Read(ctx, p.primary, t)
	}
	return records, err
}

func (p *meterMBus) cost(_ question, pause time.Duration) time.Duration {
	const turnaround = 50 * time.Millisecond
	return p.wire.Of(mbus.RequestLength+mbus.ReplyLength) + turnaround + max(p.wire.Silence(), pause)
}
