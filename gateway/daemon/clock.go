package daemon

import (
	"context"
	"time"

	"gengfu/devices"
)

// timeWithin is how long a hub that does not know the time waits for it, before it
// judges facts by a time that cannot be. Meanwhile they stay in the journals of their
// gateways.
const timeWithin = 2 * time.Minute

// timely runs a part when the time is known.
func (d *daemon) timely(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		patience := time.NewTimer(timeWithin)
		defer patience.Stop()
		for changed := d.clock.Changed(); !d.clock.Known(); changed = d.clock.Changed() {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				continue
			case <-patience.C:
				d.Logger.Error("NOBODY KNOWS THE TIME: facts are judged and kept under the time that the machine's clock shows; set it, or give it a time service")
			}
			break
		}
		return run(ctx)
	}
}

// lines is how the field does, in times that people know.
func (d *daemon) lines() []devices.LineStatus {
	out := d.field.Status()
	for i := range out {
		list := append([]devices.DeviceStatus(nil), out[i].Devices...)
		for k := range list {
			if at := list[k].LastSeen; at != nil {
				seen := d.clock.Of(*at)
				list[k].LastSeen = &seen
			}
		}
		out[i].Devices = list
	}
	return out
}
