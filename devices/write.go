package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// What keeps a value from being written.
var (
	// ErrNotWritable: the profile does not say that the quantity can be written.
	ErrNotWritable = errors.New("cannot be written")
	// ErrNotAllowed: the configuration of the device does not allow it.
	ErrNotAllowed = errors.New("is not allowed to be written")
	// ErrNotKept: the device confirmed the value and then showed another.
	ErrNotKept = errors.New("confirmed, and not kept")
)

// CheckWrite returns why the value must not be written to the quantity, nil when it
// may: the profile has to say that it can be written, the configuration to allow it,
// and the value to be one that it can hold.
func CheckWrite(d DeviceConfig, p profile.Profile, quantity string, value float64) error {
	p.Points = slices.Clone(p.Points)
	p.Defaults()
	pt, ok := p.Point(quantity)
	switch {
	case !ok:
		return fmt.Errorf("%s has no quantity %q: write one of %s", d.ID, quantity, quantities(p))
	case !pt.Writable || p.Language() != profile.Modbus:
		return fmt.Errorf("%s/%s %w: the profile %s does not say so", d.ID, quantity, ErrNotWritable, p.ID)
	case !d.Write.Allow(quantity):
		return fmt.Errorf("%s/%s %w: add \"write: [%s]\" to the device in the configuration", d.ID, quantity, ErrNotAllowed, quantity)
	}
	_, err := pt.Encode(value)
	return err
}

// WriteOnce opens the line, writes one value of the device and closes the line. It
// reads what stood there before, changes no other bits of the registers, writes once
// and reads back. The readings are of before and after; the later one is bad when it
// is not known. It is modbus.ErrUnconfirmed when nobody knows whether the value was
// taken, ErrNotKept when the device shows another one afterwards, and what CheckWrite
// returns before anything is sent. Frames are returned in every case.
func WriteOnce(ctx context.Context, l LineConfig, d DeviceConfig, p profile.Profile, quantity string, value float64) (before, after facility.Reading, frames []RawFrame, err error) {
	if err := CheckWrite(d, p, quantity, value); err != nil {
		return before, after, nil, err
	}
	o, err := openOnce(ctx, l, d, p, func(x bus.Exchange) { frames = append(frames, x) })
	if err != nil {
		return before, after, nil, fmt.Errorf("write %s/%s: %w", d.ID, quantity, err)
	}
	defer func() { err = errors.Join(err, o.conn.Close()) }()
	i := slices.IndexFunc(o.points, func(pt profile.Point) bool { return pt.ID == quantity })
	before, after = o.readings[i], o.readings[i]
	if err := o.write(ctx, i, value, &before, &after); err != nil {
		return before, after, frames, fmt.Errorf("write %s/%s: %w", d.ID, quantity, err)
	}
	return before, after, frames, nil
}

// write changes one point of a Modbus slave.
func (o *once) write(ctx context.Context, point int, value float64, before, after *facility.Reading) error {
	peer, pt := o.peer.(*modbusPeer), o.points[point]
	t := peer.timing(o.timing)
	r := modbus.Request{Unit: peer.unit, Table: pt.Table, Address: uint16(pt.Address), Quantity: uint16(pt.Words())}
	words, err := o.reread(ctx, r, t)
	if err != nil {
		return fmt.Errorf("read it before: %w", err)
	}
	take(before, pt, words)
	want := slices.Clone(words)
	if err := pt.Put(want, value); err != nil {
		return err
	}
	w := modbus.WriteRequest{Unit: r.Unit, Table: r.Table, Address: r.Address, Words: want}
	err = o.masters.modbus.Write(ctx, w, t)
	var refused modbus.Exception
	if errors.As(err, &refused) && refused.Code == modbus.IllegalFunction && len(want) == 1 {
		w.Multiple = true // some slaves know only the function for many
		err = o.masters.modbus.Write(ctx, w, t)
	}
	if err != nil && !errors.Is(err, modbus.ErrUnconfirmed) {
		return err
	}
	words, readErr := o.reread(ctx, r, t)
	if readErr != nil {
		return errors.Join(err, fmt.Errorf("read it back: %w", readErr))
	}
	take(after, pt, words)
	asked, _, _ := pt.Decode(want)
	switch {
	case after.Quality == facility.Good && after.Value == asked:
		return nil // also when the confirmation was lost
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: it shows %v", ErrNotKept, after.Value)
}

// reread reads registers, twice if need be.
func (o *once) reread(ctx context.Context, r modbus.Request, t modbus.Timing) (words []uint16, err error) {
	for range tries {
		words, err = o.masters.modbus.Read(ctx, r, t)
		if become := judge(err); become != wasSpoilt && become != wasSilent {
			break
		}
	}
	return words, err
}

func take(r *facility.Reading, pt profile.Point, words []uint16) {
	r.Time = time.Now().UTC().Round(0)
	r.Value, r.Quality, r.Reason = pt.Decode(words)
}
