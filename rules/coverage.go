package rules

import (
	"slices"

	"gengfu/facility"
)

// Coverage says on which devices of an estate a rule is judged, and why not on others
// that it seems to be for.
type Coverage struct {
	Rule    string   `json:"rule"`
	Devices []string `json:"devices"` // that it is judged on
	Off     []string `json:"off"`     // taken out by an override
	Alone   []string `json:"alone"`   // that it rests on, as the site has none of the other devices that it asks
	Lacking []Lack   `json:"lacking"` // of the kinds, places and ids that it names, but without a quantity that it needs
}

// Lack is a device that a rule would be judged on if it had more quantities or ratings.
type Lack struct {
	Device     string   `json:"device"`
	Quantities []string `json:"quantities"` // a rating as rated.current
}

// Cover says of each rule which devices of the estate it selects. The rules are as
// Compile takes them. A rule that picks by quantities alone lacks nothing: it is for
// whatever has them.
func Cover(rs []Rule, estate facility.Estate) []Coverage {
	c := &compilation{estate: newCatalogue(estate)}
	out := make([]Coverage, 0, len(rs))
	for _, r := range rs {
		out = append(out, c.cover(r))
	}
	return out
}

func (c *compilation) cover(r Rule) Coverage {
	out := Coverage{Rule: r.ID, Devices: []string{}, Off: []string{}, Alone: []string{}, Lacking: []Lack{}}
	picked, _ := c.estate.pick("for", r.For, true)
	for _, d := range picked {
		switch {
		case r.Overrides[d.ID].Off:
			out.Off = append(out.Off, d.ID)
		case r.NoData != nil && len(r.NoData.Quantities) == 0 && c.mute(d):
			// It has no quantities that could fall silent.
		case c.alone(r.with(r.Overrides[d.ID]), d):
			out.Alone = append(out.Alone, d.ID)
		default:
			out.Devices = append(out.Devices, d.ID)
		}
	}
	if len(r.For.Kinds)+len(r.For.Devices)+len(r.For.Places) == 0 {
		return out
	}
	wider := r.For
	wider.Having, wider.Rated = nil, nil
	all, _ := c.estate.pick("for", wider, true)
	for _, d := range all {
		lacks := slices.DeleteFunc(slices.Clone(r.For.Having), func(q string) bool { return slices.Contains(c.estate.names[d.ID], q) })
		for _, name := range r.For.Rated {
			if _, ok := d.Ratings[name]; !ok {
				lacks = append(lacks, ratedName+"."+name)
			}
		}
		if len(lacks) > 0 {
			out.Lacking = append(out.Lacking, Lack{d.ID, lacks})
		}
	}
	return out
}

// alone reports whether an optional rule rests on the device for want of others.
func (c *compilation) alone(r Rule, d facility.Device) bool {
	if !r.Optional {
		return false
	}
	b := &builder{catalogue: c.estate, device: d, learns: func(facility.PointID) bool { return true }}
	b.groups, _ = c.groups(r, d)
	b.limits, _ = limits(r.Limits)
	for _, text := range []string{r.When, r.Clear} {
		if text == "" {
			continue
		}
		if _, m := b.condition(text); m != nil && m.empty {
			return true
		}
	}
	return false
}

// Points returns the points that the rules hang on, in the order in which the rules
// first name them: readings of others are passed over.
func (e *Engine) Points() []facility.PointID {
	out := make([]facility.PointID, len(e.order))
	for i, p := range e.order {
		out[i] = p.id
	}
	return out
}
