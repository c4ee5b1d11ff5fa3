package scan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gengfu/devices/modbus"
	"gengfu/devices/profile"
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
	return strconv.Itoa(n) + " values "
}
