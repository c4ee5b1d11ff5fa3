package scan

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/facility"
)

// Question is what a device is asked to find out its model.
type Question struct {
	Table   profile.Table // of Modbus
	Address int
	Count   int
	Item    string // of DL/T 645 and CJ/T 188; M-Bus has one question, the zero one
}

// Outcome is how a question ended.
type Outcome int

// The outcomes.
const (
	Answered Outcome = iota
	Refused          // an exception, or a meter's refusal
	Unheard          // nothing, or nothing that can be used
)

// Answer is a question with what came.
type Answer struct {
	Question
	Outcome Outcome
	Words   []uint16 // of Modbus
	Request []byte   // of other protocols, as it was sent
	Reply   []byte   // of other protocols: the frame; of M-Bus each telegram is an answer of its own
	Type    byte     // of a CJ/T 188 meter, the medium of an M-Bus one
}

// Confidence says how sure a name is.
type Confidence string

// The confidences.
const (
	Sure     Confidence = "sure"     // it shows the identity of the model, or nothing else comes near
	Likely   Confidence = "likely"   // it fits well, and better than others
	Possible Confidence = "possible" // it fits, as others do
)

// Candidate is a model that a device may be.
type Candidate struct {
	Profile    string     `json:"profile"`
	Family     string     `json:"family,omitempty"`
	Confidence Confidence `json:"confidence"`
	Score      float64    `json:"score"`
	Identified bool       `json:"identified"` // its marks are there
	Why        string     `json:"why"`
	open       bool
	telling    int // values that devices of other models hardly show by chance
	strict     bool
}

// What evidence weighs.
const (
	markWeight    = 40.0
	refusedWeight = -8.0
	silentWeight  = -6.0
	impossible    = -1000.0
	existsWeight  = 0.3 // a register is there, of a device that refuses others
	givenWeight   = 2.0 // and all of a request of the model
	leastScore    = 1.0 // below it nothing is recognised
)

// Recognise returns the models that the answers fit, the best first. The profiles
// are those of the protocol that the device speaks.
func Recognise(answers []Answer, profiles []profile.Profile) []Candidate {
	k := knowledgeOf(answers)
	var out []Candidate
	for i := range profiles {
		if c := k.judge(&profiles[i]); c.Score >= leastScore {
			out = append(out, c)
		}
	}
	rank(out)
	return out
}

func rank(out []Candidate) {
	slices.SortStableFunc(out, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Profile, b.Profile))
	})
	for i := range out {
		c := &out[i]
		lead := c.Score - leastScore
		for j := range out {
			if j != i {
				lead = min(lead, c.Score-out[j].Score)
			}
		}
		switch {
		case c.Identified && lead > 1, c.Score >= 12 && lead >= 6 && (c.strict || c.telling >= 3):
			c.Confidence = Sure
		case c.Score >= 6 && lead >= 1.5 && (c.strict || c.telling >= 1):
			c.Confidence = Likely
		default:
			c.Confidence = Possible
		}
	}
}

// Fit says how well answers fit one model: above 0 they speak for it, below against it.
func Fit(answers []Answer, p *profile.Profile) float64 { return knowledgeOf(answers).judge(p).Score }

// Questions returns what reads all points of a model of Modbus.
func Questions(p *profile.Profile) []Question { return questions(p) }

// Next returns what to ask to know better, false when nothing more is to be learned.
func Next(answers []Answer, profiles []profile.Profile) (Question, bool) {
	k := knowledgeOf(answers)
	if len(profiles) > 0 && profiles[0].Language() != profile.Modbus {
		return k.nextItem(profiles)
	}
	if q, ok := k.nextMark(profiles); ok {
		return q, true
	}
	type open struct {
		Candidate
		profile *profile.Profile
	}
	var rest []open
	identified := false
	for i := range profiles {
		c := k.judge(&profiles[i])
		identified = identified || c.Identified && c.Score > 0
		if c.open && c.Score > refusedWeight {
			rest = append(rest, open{c, &profiles[i]})
		}
	}
	if identified { // others need not be ruled out one by one
		rest = slices.DeleteFunc(rest, func(o open) bool { return !o.Identified })
	}
	slices.SortStableFunc(rest, func(a, b open) int { return cmp.Compare(b.Score, a.Score) })
	for _, o := range rest {
		for _, q := range questions(o.profile) {
			if k.state(q) == unknown {
				return q, true
			}
		}
	}
	return Question{}, false
}

// nextMark asks for the marks of all models before anything else. Of a model that
// one of its marks has ruled out the others are not asked.
func (k *knowledge) nextMark(profiles []profile.Profile) (Question, bool) {
	for i := range profiles {
		if met, _ := k.marks(&profiles[i]); met {
			return Question{}, false
		}
	}
	for i := range profiles {
		p := &profiles[i]
		if _, against := k.marks(p); against {
			continue
		}
		for _, m := range p.Identify {
			if q := markQuestion(m); m.Words() > 0 && k.state(q) == unknown {
				return q, true
			}
		}
	}
	return Question{}, false
}

func markQuestion(m profile.Mark) Question {
	return Question{Table: m.Table, Address: m.Address, Count: m.Words()}
}

// questions returns what reads all points of a model.
func questions(p *profile.Profile) []Question {
	wants := make([]modbus.Want, len(p.Points))
	for i, pt := range p.Points {
		wants[i] = modbus.Want{Table: pt.Table, Address: pt.Address, Words: pt.Words()}
	}
	var out []Question
	for _, b := range modbus.Plan(wants, modbus.Terms{Limits: p.Limits}) {
		out = append(out, Question{Table: b.Table, Address: b.Address, Count: b.Quantity})
	}
	return out
}

type state int

const (
	unknown state = iota
	known
	refused
	silent
)

// knowledge is the answers in the form in which they are looked up.
type knowledge struct {
	answers []Answer
	words   map[profile.Table]map[int]uint16
	strict  bool // the device does not give what it does not have, so that what it gives exists
}

func knowledgeOf(answers []Answer) *knowledge {
	k := &knowledge{answers: answers, words: map[profile.Table]map[int]uint16{}}
	refusals := 0
	for _, a := range answers {
		if a.Outcome != Answered {
			refusals++
		}
		if k.words[a.Table] == nil {
			k.words[a.Table] = map[int]uint16{}
		}
		for i, w := range a.Words {
			k.words[a.Table][a.Address+i] = w
		}
	}
	k.strict = refusals >= 3
	return k
}

// state says what is known of a question: all its registers, or that a part of it was
// refused.
func (k *knowledge) state(q Question) state {
	if _, ok := k.read(q.Table, q.Address, q.Count); ok {
		return known
	}
	for _, a := range k.answers {
		within := a.Table == q.Table && a.Address >= q.Address && a.Address+a.Count <= q.Address+q.Count
		switch {
		case a.Outcome == Refused && within:
			return refused
		case a.Outcome == Unheard && a.Question == q:
			return silent
		}
	}
	return unknown
}

func (k *knowledge) read(t profile.Table, from, count int) ([]uint16, bool) {
	words := make([]uint16, count)
	for i := range words {
		w, ok := k.words[t][from+i]
		if !ok {
			return nil, false
		}
		words[i] = w
	}
	return words, true
}

// marks reports whether all marks of a model are there, or one of them is not.
func (k *knowledge) marks(p *profile.Profile) (met, against bool) {
	met = len(p.Identify) > 0
	for _, m := range p.Identify {
		if len(m.Medium) > 0 {
			i := slices.IndexFunc(k.answers, func(a Answer) bool { return a.Outcome == Answered })
			if i < 0 {
				met = false
			} else if !m.MatchesMedium(k.answers[i].Type) {
				return false, true
			}
			continue
		}
		switch words, ok := k.read(m.Table, m.Address, m.Words()); {
		case ok && !m.Matches(words):
			return false, true
		case ok:
		case k.state(markQuestion(m)) == unknown:
			met = false
		default:
			return false, true
		}
	}
	return met, false
}

func (k *knowledge) judge(p *profile.Profile) Candidate {
	c := Candidate{Profile: p.ID, Family: p.Family, strict: k.strict || p.Language() != profile.Modbus}
	met, against := k.marks(p)
	switch {
	case against:
		c.Score, c.Why = impossible, "it does not show the identity of the model"
		return c
	case met:
		c.Identified = true
		c.Score += markWeight
	}
	var good, zero, bad int
	if p.Language() == profile.Modbus {
		good, zero, bad = k.judgeRegisters(p, &c)
	} else {
		good, zero, bad = k.judgeItems(p, &c)
	}
	c.Why = why(met, good, zero, bad)
	return c
}

func why(identified bool, good, zero, bad int) string {
	var said []string
	if identified {
		said = append(said, "shows the identity of the model")
	}
	for _, part := range []struct {
		n    int
		what string
	}{{good, "plausible"}, {zero, "zero"}, {bad, "implausible or refused"}} {
		if part.n > 0 {
			said = append(said, plural(part.n)+part.what)
		}
	}
	return strings.Join(said, ", ")
}

func plural(n int) string {
	if n == 1 {
		return "1 value "
	}
	return itoa(n) + " values "
}

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
		if p.CJT188 != nil && p.CJT188.Type != "" && p.CJT188.Type != hexByte(a.Type) {
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
