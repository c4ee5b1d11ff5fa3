package devices

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
)

// modbusPeer is a slave of Modbus, whatever its framing.
type modbusPeer struct {
	master *modbus.Master
	unit   byte
	points []profile.Point
	wants  []modbus.Want
	terms  modbus.Terms
}

var _ peer = (*modbusPeer)(nil)

func newModbusPeer(m *modbus.Master, l LineConfig, d DeviceConfig, model profile.Profile) *modbusPeer {
	p := &modbusPeer{master: m, points: model.Points}
	p.unit, _ = d.Address.Unit()
	for _, pt := range model.Points {
		p.wants = append(p.wants, modbus.Want{Table: pt.Table, Address: pt.Address, Words: pt.Words()})
	}
	p.terms = modbus.Terms{
		Limits: model.Limits, Listed: modbus.NewMap(p.wants), Cuts: map[modbus.Cut]bool{}, Wire: l.wire(),
	}
	if l.framing() == modbus.ASCII {
		p.terms.Wire.Character *= 2 // two digits for each byte
	}
	return p
}

func (p *modbusPeer) plan(points []int) question {
	return p.question(points, modbus.PlanFirst(p.wantsOf(points), p.terms))
}

func (p *modbusPeer) wantsOf(points []int) []modbus.Want {
	wants := make([]modbus.Want, len(points))
	for i, pt := range points {
		wants[i] = p.wants[pt]
	}
	return wants
}

func (p *modbusPeer) question(points []int, b modbus.Batch) question {
	q := question{points: make([]int, len(b.Wants)), batch: b}
	for i, w := range b.Wants {
		q.points[i] = points[w]
	}
	return q
}

func (p *modbusPeer) ask(ctx context.Context, q question, t bus.Timing) ([]value, error) {
	words, err := p.master.Read(ctx, q.batch.Request(p.unit), p.timing(t))
	if err != nil {
		return nil, err
	}
	p.terms.Turnaround = t.Pace.Turnaround() // so that the plan knows what a request costs here
	values := make([]value, len(q.points))
	for i, pt := range q.points {
		v := &values[i]
		v.number, v.quality, v.reason = p.points[pt].Decode(q.batch.Of(p.wants[pt], words))
	}
	return values, nil
}

func (p *modbusPeer) timing(t bus.Timing) modbus.Timing {
	return modbus.Timing{Timeout: t.Timeout, Pause: t.Pause, Pace: t.Pace, Allow: p.terms.Allows}
}

// refused cuts a batch that the slave does not give as a whole.
func (p *modbusPeer) refused(q question, err error) bool {
	var said modbus.Exception
	if !errors.As(err, &said) || said.Code != modbus.IllegalAddress && said.Code != modbus.IllegalValue {
		return false
	}
	b := q.batch
	b.Wants = make([]int, len(q.points))
	for i := range b.Wants {
		b.Wants[i] = i
	}
	cut, ok := modbus.Split(b, p.wantsOf(q.points))
	if ok {
		p.terms.Cuts[cut] = true
	}
	return ok
}

func (p *modbusPeer) bound(longest time.Duration) { p.terms.Longest = longest }

func (p *modbusPeer) cost(q question, pause time.Duration) time.Duration {
	t := p.terms
	t.Limits.Pause = pause
	return t.Cost(q.batch.Table, q.batch.Quantity)
}

func (p *modbusPeer) recall(l Learned) {
	for _, c := range l.Cuts {
		p.terms.Cuts[c] = true
	}
}

func (p *modbusPeer) keep() Learned {
	cuts := slices.Collect(maps.Keys(p.terms.Cuts))
	slices.SortFunc(cuts, func(a, b modbus.Cut) int {
		if a.Table != b.Table {
			return compareText(a.Table, b.Table)
		}
		return a.Address - b.Address
	})
	return Learned{Cuts: cuts}
}
