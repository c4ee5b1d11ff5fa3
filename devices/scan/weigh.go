package scan

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/facility"
)

func (k *knowledge) judgeRegisters(p *profile.Profile, c *Candidate) (good, zero, bad int) {
	refusals := 0
	for _, q := range questions(p) {
		switch k.state(q) {
		case unknown:
			c.open = true
		case refused:
			c.Score += refusedWeight
			refusals++
		case silent:
			c.Score += silentWeight
			refusals++
		case known:
			if k.strict {
				c.Score += givenWeight
			}
		}
	}
	for i := range p.Points {
		pt := &p.Points[i]
		words, ok := k.read(pt.Table, pt.Address, pt.Words())
		if !ok {
			continue
		}
		w := weigh(pt, words)
		if w >= telling {
			c.telling++
		}
		c.Score += w + resembles(p, pt, words)
		if k.strict {
			c.Score += existsWeight
		}
		switch {
		case w < 0:
			bad++
		case w > 0:
			good++
		default:
			zero++
		}
	}
	if agreement := k.agreement(p); agreement > 0 {
		c.Score += agreement
		c.telling += 2
	}
	return good, zero, bad + refusals
}

// resembles is given when a value is about what the model's persona shows: a wrong
// scale is a factor of ten. Settings that are codes must be the same.
func resembles(p *profile.Profile, pt *profile.Point, words []uint16) float64 {
	usual := p.Persona.Values[pt.ID]
	v, q, _ := pt.Decode(words)
	switch {
	case usual == 0 || q == facility.Bad || pt.Binary():
		return 0
	case pt.Unit == "" && usual == math.Trunc(usual):
		if v == usual {
			return 0.5
		}
		return 0
	case v/usual > 1.0/3 && v/usual < 3:
		return 0.5
	}
	return 0
}

// What single values weigh.
const (
	binaryWeight = 0.2
	telling      = 4.0 // the frequency or the voltage of the mains
)

// weigh says how well registers fit a point: a value in the range that its unit has
// in an estate speaks for the model, one out of all range against it.
func weigh(pt *profile.Point, words []uint16) float64 {
	v, q, reason := pt.Decode(words)
	switch {
	case q == facility.Bad && reason == facility.OutOfRange:
		return -4
	case q == facility.Bad:
		return -0.5
	case !slices.ContainsFunc(words, func(w uint16) bool { return w != 0 }):
		return 0 // a register that is not there may show it too
	case pt.Binary():
		return binaryWeight
	case len(pt.Labels) > 0:
		if _, ok := pt.Labels[int(v)]; !ok || v != math.Trunc(v) {
			return -2
		}
		return 1
	}
	if w, ok := weighUnit(pt, v); ok {
		return w
	}
	size := math.Abs(v)
	isFloat := pt.Type == profile.F32 || pt.Type == profile.F64
	switch {
	case size > 1e9 || isFloat && size < 1e-5:
		return -4
	case isFloat:
		return 1.5
	case pt.Words() > 1:
		return 1
	}
	return 0.5
}

// weighUnit knows the quantities whose values are much the same everywhere.
func weighUnit(pt *profile.Point, v float64) (float64, bool) {
	in := func(low, high float64) bool { return math.Abs(v) >= low && math.Abs(v) <= high }
	switch {
	case pt.Unit == "Hz" && (in(49, 51) || in(59, 61)):
		return 5, true
	case pt.Unit == "V" && (in(200, 255) || in(345, 440)):
		return telling, true
	case strings.HasPrefix(pt.ID, "power_factor"):
		if in(0.05, 1) {
			return 2, true
		}
		return -2, true
	case pt.Unit == "Cel" && in(1, 95):
		return 1.5, true
	}
	most := map[string]float64{"Hz": 600, "V": 1500, "A": 5000, "kW": 5000, "kvar": 5000, "kVA": 5000, "Cel": 150, "bar": 400, "m": 1000, "%": 1000}
	if limit, known := most[pt.Unit]; known && !in(0, limit) {
		return -3, true
	}
	return 0, false
}

// agreement is given when power is voltage times current times power factor, which
// wrong scales and orders do not give by chance.
func (k *knowledge) agreement(p *profile.Profile) float64 {
	value := func(quantity string) float64 {
		pt, ok := p.Point(quantity)
		if !ok {
			return 0
		}
		words, ok := k.read(pt.Table, pt.Address, pt.Words())
		if !ok {
			return 0
		}
		v, _, _ := pt.Decode(words)
		return v
	}
	power := value("active_power") * 1000
	apparent := value("voltage") * value("current") * value("power_factor")
	if power == 0 || apparent == 0 {
		return 0
	}
	if math.Abs(power-apparent) < 0.1*math.Abs(power) {
		return 5
	}
	return 0
}

func (k *knowledge) nextItem(profiles []profile.Profile) (Question, bool) {
	asked := map[string]bool{}
	for _, a := range k.answers {
		asked[a.Item] = true
	}
	for i := range profiles {
		for _, pt := range profiles[i].Points {
			if !asked[pt.Item] {
				if c := k.judge(&profiles[i]); c.Score > refusedWeight {
					return Question{Item: pt.Item}, true
				}
			}
		}
	}
	return Question{}, false
}

func (k *knowledge) judgeItems(p *profile.Profile, c *Candidate) (good, zero, bad int) {
	found := map[string]bool{}
	for _, a := range k.answers {
		if a.Outcome != Answered {
			continue
		}
		if p.CJT188 != nil && p.CJT188.Type != "" && p.CJT188.Type != fmt.Sprintf("%02X", a.Type) {
			c.Score = impossible
			return 0, 0, 1
		}
		for _, v := range sniff.Interpret(protocolOf(p.Language()), a.Request, a.Reply, p).Values {
			found[v.Quantity] = true
			switch {
			case v.Number == nil && v.Reason == facility.SensorFault:
				c.Score -= 0.1
			case v.Number == nil:
				c.Score -= 2
				bad++
			case *v.Number == 0:
				c.Score += binaryWeight
				zero++
			default:
				c.Score++
				good++
			}
		}
	}
	for _, pt := range p.Points {
		if !found[pt.ID] && (k.heard(pt.Item) || p.Language() == profile.MBus) {
			c.Score -= 1.5
			bad++
		}
	}
	if good+zero > 0 {
		c.Score += 2 // the meter speaks the language of the profile
	}
	return good, zero, bad
}

// heard reports whether an item was asked for.
func (k *knowledge) heard(item string) bool {
	return slices.ContainsFunc(k.answers, func(a Answer) bool { return a.Item == item })
}

func protocolOf(l profile.Protocol) sniff.Protocol {
	switch l {
	case profile.DLT645:
		return sniff.DLT645
	case profile.CJT188:
		return sniff.CJT188
	case profile.MBus:
		return sniff.MBus
	}
	return sniff.ModbusRTU
}
