package scan

import (
	"slices"

	"gengfu/devices/profile"
)

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
