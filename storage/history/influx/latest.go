package influx

import (
	"context"
	"fmt"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// How far back Latest looks, one after the other until it has found all points:
// nearly all of them were read a moment ago, and a month of all is much to read.
var stretches = [...]time.Duration{15 * time.Minute, 6 * time.Hour, history.Lookback}

const maxListed = 50 // devices in the filter of a query

// Latest returns the last reading of every point of the devices.
func (s *Store) Latest(ctx context.Context, devices []facility.Device, before time.Time) (map[facility.PointID]facility.Reading, error) {
	out := map[facility.PointID]facility.Reading{}
	end := history.Milli(before)
	for _, stretch := range stretches {
		missing := without(devices, out)
		if len(missing) == 0 {
			break
		}
		if err := s.latest(ctx, missing, end-stretch.Milliseconds(), end, out); err != nil {
			return nil, fmt.Errorf("influxdb: look up the last readings: %w", err)
		}
	}
	return out, nil
}

// without returns the devices that have a point without a reading.
func without(devices []facility.Device, found map[facility.PointID]facility.Reading) []facility.Device {
	var out []facility.Device
	for _, d := range devices {
		for _, p := range d.Points {
			if _, ok := found[p.ID]; !ok {
				out = append(out, d)
				break
			}
		}
	}
	return out
}

// fieldID names a field of a device.
type fieldID struct{ kind, device, field string }

// latest adds the last readings in [from, to) to out.
func (s *Store) latest(ctx context.Context, devices []facility.Device, from, to int64, out map[facility.PointID]facility.Reading) error {
	points := map[fieldID]facility.Point{}
	var names []string
	for _, d := range devices {
		names = append(names, d.ID)
		for _, p := range d.Points {
			for _, suffix := range []string{"", history.BadSuffix, history.UncertainSuffix} {
				points[fieldID{d.Kind, p.ID.Device, p.ID.Quantity + suffix}] = p
			}
		}
	}
	flux := s.source(from, to)
	if len(names) <= maxListed {
		flux += equals("device", names...)
	}
	flux += ` |> last() |> keep(columns: ["_time", "_value", "_field", "_measurement", "device"])`
	return s.query(ctx, flux, func(row record) error {
		p, ok := points[fieldID{row.get("_measurement"), row.get("device"), row.get("_field")}]
		if !ok {
			return nil
		}
		r, err := row.reading(p)
		if err != nil {
			return err
		}
		old, ok := out[p.ID]
		switch {
		case !ok || r.Time.After(old.Time):
			out[p.ID] = r
		case r.Time.Equal(old.Time):
			out[p.ID] = join(old, r)
		}
		return nil
	})
}
