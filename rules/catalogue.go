package rules

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gengfu/facility"
)

// catalogue finds what the estate has by name.
type catalogue struct {
	devices []facility.Device
	points  map[facility.PointID]facility.Point
	names   map[string][]string // quantities by device
	kinds   []string
	places  []string
	ids     []string // of devices
	index   map[string]int

	calendars []facility.Calendar
	functions map[string]function
}

// device returns the device of that id.
func (c *catalogue) device(id string) facility.Device { return c.devices[c.index[id]] }

func newCatalogue(estate facility.Estate) *catalogue {
	c := &catalogue{
		devices: estate.Devices,
		points:  map[facility.PointID]facility.Point{},
		names:   map[string][]string{},
		index:   map[string]int{},

		calendars: estate.Calendars,
		functions: functions(),
	}
	for i, d := range estate.Devices {
		c.index[d.ID] = i
		online := facility.PointID{Device: d.ID, Quantity: facility.OnlineQuantity}
		c.points[online] = facility.Point{ID: online, Kind: facility.State, Period: facility.BadKeepAlive}
		for _, p := range d.Points {
			c.points[p.ID] = p
			c.names[d.ID] = append(c.names[d.ID], p.ID.Quantity)
		}
		if !slices.Contains(c.names[d.ID], facility.OnlineQuantity) {
			c.names[d.ID] = append(c.names[d.ID], facility.OnlineQuantity)
		}
		c.ids = append(c.ids, d.ID)
		c.kinds = append(c.kinds, d.Kind)
	}
	for _, p := range estate.Places {
		c.places = append(c.places, p.ID)
	}
	return c
}

// pick returns the devices that a selector of the field path selects, in the
// estate's order. With optional it may name what the site does not have.
func (c *catalogue) pick(path string, s Selector, optional bool) ([]facility.Device, []facility.Problem) {
	var problems []facility.Problem
	known := func(field string, words, names []string) {
		for i, w := range words {
			if slices.Contains(names, w) {
				continue
			}
			near := facility.Nearest(w, names)
			if near == "" && optional {
				continue
			}
			cure := fmt.Sprintf("Write the id of one of the %s that the site has.", field)
			if near != "" {
				cure = fmt.Sprintf("Did you mean %q?", near)
			}
			problems = append(problems, facility.Problem{Path: fmt.Sprintf("%s.%s[%d]", path, field, i), What: fmt.Sprintf("The site has no %q among its %s.", w, field), Cure: cure})
		}
	}
	if !optional {
		known("kinds", s.Kinds, c.kinds)
	}
	known("devices", s.Devices, c.ids)
	known("places", s.Places, c.places)
	known("except", s.Except, c.ids)
	if len(problems) > 0 {
		return nil, problems
	}
	within := func(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }
	var out []facility.Device
	for _, d := range c.devices {
		lacks := func(q string) bool { return !slices.Contains(c.names[d.ID], q) }
		unrated := func(name string) bool { _, ok := d.Ratings[name]; return !ok }
		if within(s.Kinds, d.Kind) && within(s.Devices, d.ID) && within(s.Places, d.Place) &&
			!slices.Contains(s.Except, d.ID) && !slices.ContainsFunc(s.Having, lacks) &&
			(len(s.Lacking) == 0 || slices.ContainsFunc(s.Lacking, lacks)) &&
			!slices.ContainsFunc(s.Rated, unrated) && (len(s.Unrated) == 0 || slices.ContainsFunc(s.Unrated, unrated)) {
			out = append(out, d)
		}
	}
	return out, nil
}

// own resolves a bare name in a condition of the device.
func (c *catalogue) own(device, name string) (term, *mistake) {
	if p, ok := c.points[facility.PointID{Device: device, Quantity: name}]; ok {
		return termOf(p), nil
	}
	return term{}, c.noQuantity(device, name)
}

func (c *catalogue) noQuantity(device, name string) *mistake {
	names := append(slices.Clone(c.names[device]), "hour", "weekday", "workday", "holiday")
	m := &mistake{at: -1, what: fmt.Sprintf("The device has no quantity %q.", name)}
	if near := c.called(device, name); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q? ", near)
	} else if near := facility.Nearest(name, names); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q? ", near)
	} else if slices.Contains(c.ids, name) {
		m.cure = fmt.Sprintf("%q is a device: a quantity of it is written value(%q). ", name, name+"/…")
	}
	sort.Strings(names)
	m.cure += "It has " + strings.Join(names, ", ") + `. To leave out devices without a quantity, write it in for.having.`
	return m
}

// called returns the quantity of a device that pages call by the name, or that is written
// so but for capital letters.
func (c *catalogue) called(device, name string) string {
	for _, q := range c.names[device] {
		shown := c.points[facility.PointID{Device: device, Quantity: q}].Name
		if name == shown.ZH || strings.EqualFold(name, shown.EN) || strings.EqualFold(name, q) {
			return q
		}
	}
	return ""
}

// other resolves the point of a value("device/quantity").
func (c *catalogue) other(name string) (term, *mistake) {
	id, err := facility.ParsePointID(name)
	if err != nil {
		m := &mistake{at: -1, what: fmt.Sprintf("%q is not a point.", name), cure: `Write value("device/quantity"), such as value("tank/level").`}
		if near := facility.Nearest(name, c.allPoints()); near != "" {
			m.cure = fmt.Sprintf("Did you mean %q?", near)
		}
		return term{}, m
	}
	if p, ok := c.points[id]; ok {
		return termOf(p), nil
	}
	m := &mistake{at: -1, what: fmt.Sprintf("The site has no point %q.", name), cure: "Write the device and one of its quantities."}
	if near := facility.Nearest(name, c.allPoints()); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q?", near)
	}
	// What is like nothing that there is, the site lacks.
	m.empty = !slices.Contains(c.ids, id.Device) && facility.Nearest(id.Device, c.ids) == ""
	return term{}, m
}

// allPoints are the names of all points, in order.
func (c *catalogue) allPoints() []string {
	names := make([]string, 0, len(c.points))
	for p := range c.points {
		names = append(names, p.String())
	}
	sort.Strings(names)
	return names
}

// termOf says how a point may be used. A state is a bit only when its labels
// speak of nothing but 0 and 1: "state 3 is stopped" must not count as a yes.
func termOf(p facility.Point) term {
	bit := p.Kind == facility.Signal || p.Kind == facility.State
	for v := range p.Labels {
		bit = bit && (v == 0 || v == 1)
	}
	return term{point: p.ID, kind: p.Kind, unit: unitOf(p.Unit), bit: bit}
}
