package dashboard

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

// maxSpan is the longest range of a chart.
const maxSpan = 20 * 366 * 24 * time.Hour

func (s *Server) listDevices(c *fiber.Ctx, _ *visitor) error {
	return c.JSON(fiber.Map{"devices": s.devices()})
}

// devices shows all devices as they are now.
func (s *Server) devices() []deviceShape {
	values, now := latest(s.options.Live.Latest()), s.now()
	devices := make([]deviceShape, 0, len(s.estate.Devices))
	for i := range s.estate.Devices {
		devices = append(devices, s.device(&s.estate.Devices[i], values, now))
	}
	return devices
}

func (s *Server) device(d *facility.Device, values latest, now time.Time) deviceShape {
	shape := s.estate.device(d, values, now)
	shape.reachShape = s.hub.seen.fill(d.ID, shape.reachShape)
	return shape
}

func (s *Server) getDevice(c *fiber.Ctx, _ *visitor) error {
	d := s.estate.devices[c.Params("id")]
	if d == nil {
		return failWith("not_found", "device", nil)
	}
	return c.JSON(s.device(d, s.options.Live.Latest(), s.now()))
}

// namedPoint finds the point that the path names.
func (s *Server) namedPoint(c *fiber.Ctx) (*facility.Device, *facility.Point, error) {
	id := facility.PointID{Device: c.Params("device"), Quantity: c.Params("quantity")}
	d, p := s.estate.devices[id.Device], s.estate.points[id]
	if d == nil || p == nil {
		return nil, nil, failWith("not_found", "point", nil)
	}
	return d, p, nil
}

func (s *Server) history(c *fiber.Ctx, _ *visitor) error {
	d, p, err := s.namedPoint(c)
	if err != nil {
		return err
	}
	to, err := instant(c, "to", s.now().UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	from, err := instant(c, "from", to.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	steps, err := wholeNumber(c, "steps", 300, 1, 2000)
	if err != nil {
		return err
	}
	if span := to.Sub(from); span <= 0 || span > maxSpan {
		return invalid("from", "range", nil)
	}
	step := seconds(to.Sub(from), steps)
	first := from
	if p.Kind == facility.Counter {
		first = from.Add(-step) // gives the reading that the first bucket counts from
	}
	buckets, err := s.options.History.Query(c.UserContext(), *p, d.Kind, first, to, step)
	if err != nil {
		return doing("read the history of "+p.ID.String(), err)
	}
	shape := historyShape{
		Point: s.estate.point(d, p, s.options.Live.Latest()), From: from, To: to, Step: step.Seconds(),
		Buckets: make([]bucketShape, 0, len(buckets)),
	}
	var counted []facility.Amount
	if p.Kind == facility.Counter {
		counted = facility.Increases(buckets, p.Wrap)
	}
	for i, b := range buckets {
		if b.Count == 0 || b.Start.Before(from) {
			continue
		}
		one := bucketShape{T: b.Start.UTC(), Count: b.Count, Mean: b.Mean, Min: b.Min, Max: b.Max, Last: b.Last}
		if counted != nil {
			one.Increase, one.Reset = &counted[i].Value, counted[i].Reset
		}
		shape.Buckets = append(shape.Buckets, one)
	}
	return c.JSON(shape)
}

func (s *Server) consumption(c *fiber.Ctx, _ *visitor) error {
	d, p, err := s.namedPoint(c)
	if err != nil {
		return err
	}
	if p.Kind != facility.Counter {
		return invalid("quantity", "counter", lang.Args{"name": p.Name})
	}
	days, err := wholeNumber(c, "days", 30, 1, 400)
	if err != nil {
		return err
	}
	now := s.now()
	from, _ := facility.LocalDays(now, s.estate.Site.Zone, days)
	// The hour before gives the reading that the first day starts with.
	buckets, err := s.options.History.Query(c.UserContext(), *p, d.Kind, from.Add(-time.Hour), now, time.Hour)
	if err != nil {
		return doing("read the consumption of "+p.ID.String(), err)
	}
	shape := consumptionShape{
		Point: s.estate.point(d, p, s.options.Live.Latest()), Unit: p.Unit, Days: make([]dayShape, 0, days),
	}
	for _, day := range facility.Consumption(buckets, p.Wrap, s.estate.Site.Zone, from, days) {
		shape.Days = append(shape.Days, dayShape{
			Day: day.Day.In(s.estate.Site.Zone).Format(time.DateOnly), Amount: day.Amount, Complete: day.Complete, Reset: day.Reset,
		})
	}
	return c.JSON(shape)
}
