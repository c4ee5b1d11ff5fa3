package devices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// RawFrame is one request as it went over the line, with what came back.
type RawFrame = bus.Exchange

// ReadOnce opens the line, reads every point of the device once and closes the
// line. Readings are in the order of the profile; those that the device did not
// give are bad. The error says why the line could not be used or that the device
// gave nothing at all; frames are returned also then.
func ReadOnce(ctx context.Context, l LineConfig, d DeviceConfig, p profile.Profile) (_ []facility.Reading, frames []RawFrame, err error) {
	o, err := openOnce(ctx, l, d, p, func(x bus.Exchange) { frames = append(frames, x) })
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", d.ID, err)
	}
	defer func() { err = errors.Join(err, o.conn.Close()) }()
	if err := o.readAll(ctx); err != nil {
		return o.readings, frames, fmt.Errorf("read %s: %w", d.ID, err)
	}
	return o.readings, frames, nil
}

// once is the reading of one device, all points, one time.
type once struct {
	conn     connection
	masters  *masters
	peer     peer
	timing   bus.Timing
	points   []profile.Point
	readings []facility.Reading
	answers  int
}

func openOnce(ctx context.Context, l LineConfig, d DeviceConfig, p profile.Profile, trace func(bus.Exchange)) (*once, error) {
	if l.Protocol.ofReader() {
		return nil, fmt.Errorf("a line with %q has no devices to read", l.Protocol)
	}
	conn, err := open(ctx, l)
	if err != nil {
		return nil, err
	}
	d.Profile = p.ID
	model := d.model(map[string]profile.Profile{p.ID: p})
	o := &once{conn: conn, masters: newMasters(l, trace, nil), timing: timingOf(l, d, model), points: model.Points}
	o.masters.attach(conn)
	o.peer = o.masters.peer(l, d, model)
	for _, pt := range model.Points {
		o.readings = append(o.readings, facility.Reading{
			Point: facility.PointID{Device: d.ID, Quantity: pt.ID}, Unit: pt.Unit,
			Quality: facility.Bad, Reason: facility.NoAnswer,
		})
	}
	return o, nil
}

// readAll reads everything once. Its error is that of the line, or of a device that
// gave nothing.
func (o *once) readAll(ctx context.Context) error {
	left := make([]int, len(o.points))
	for i := range left {
		left[i] = i
	}
	var last error
	for len(left) > 0 {
		q := o.peer.plan(left)
		values, err := o.ask(ctx, q)
		become := judge(err)
		switch become {
		case wasAnswered:
			o.book(q, values)
		case wasRefused:
			if o.peer.refused(q, err) {
				continue // to be asked otherwise
			}
			o.spoil(q, facility.DeviceError)
		case wasPostponed:
			o.spoil(q, facility.DeviceError)
		case wasSpoilt:
			o.spoil(q, facility.BadReply)
		case wasSilent:
			o.spoil(q, facility.NoAnswer)
		default:
			return err
		}
		if become == wasSpoilt || become == wasSilent {
			last = err
			if o.answers == 0 {
				return err // the rest would only cost more timeouts
			}
		} else {
			o.answers++
		}
		left = without(left, q.points)
	}
	if o.answers == 0 {
		return last
	}
	return nil
}

// tries is how often a question is asked when its reply does not come or is spoilt,
// or when the device is busy.
const (
	tries = 2
	waits = 10
	busy  = 200 * time.Millisecond
)

func (o *once) ask(ctx context.Context, q question) (values []value, err error) {
	for failed, waited := 0, 0; ; {
		values, err = o.peer.ask(ctx, q, o.timing)
		switch judge(err) {
		case wasSpoilt, wasSilent:
			if failed++; failed == tries {
				return nil, err
			}
		case wasPostponed:
			if waited++; waited == waits {
				return nil, err
			}
			if err := o.masters.wait(ctx, time.Now().Add(busy)); err != nil {
				return nil, err
			}
		default:
			return values, err
		}
	}
}

func (o *once) book(q question, values []value) {
	now := time.Now().UTC().Round(0)
	for i, p := range q.points {
		r := &o.readings[p]
		r.Time, r.Value, r.Quality, r.Reason = now, values[i].number, values[i].quality, values[i].reason
	}
}

func (o *once) spoil(q question, reason facility.Reason) {
	now := time.Now().UTC().Round(0)
	for _, p := range q.points {
		o.readings[p].Time, o.readings[p].Reason = now, reason
	}
}
