package wand

import (
	"slices"
	"strings"

	"gengfu/facility"
)

// index finds checkpoints and people by whatever a dump calls them.
type index struct {
	points map[string][]string // ids by tag, id and names
	logins map[string][]string // by login, badge and name
}

func newIndex(h House) *index {
	x := &index{points: map[string][]string{}, logins: map[string][]string{}}
	for _, c := range h.Checkpoints {
		x.addPoint(c.ID, c.ID)
		x.addPoint(c.Name.ZH, c.ID)
		x.addPoint(c.Name.EN, c.ID)
		for _, tag := range c.Tags {
			x.addPoint(tag, c.ID)
			if printed, ok := facility.PrintedUID(tag); ok {
				x.addPoint(printed, c.ID)
			}
		}
	}
	for _, p := range h.People {
		add(x.logins, p.Login, p.Login)
		add(x.logins, p.Name, p.Login)
		for _, badge := range p.Badges {
			add(x.logins, badge, p.Login)
			if printed, ok := facility.PrintedUID(badge); ok {
				add(x.logins, printed, p.Login)
			}
		}
	}
	return x
}

func (x *index) addPoint(word, id string) { add(x.points, word, id) }

func add(m map[string][]string, word, id string) {
	if word != "" && !slices.Contains(m[word], id) {
		m[word] = append(m[word], id)
	}
}

// checkpoints returns the ids of those that the word may name.
func (x *index) checkpoints(word string) []string { return lookUp(x.points, word) }

// person returns the login of the one whom the word names; false for nobody, or for
// several.
func (x *index) person(word string) (login string, known bool) {
	logins := lookUp(x.logins, strings.TrimSpace(word))
	if len(logins) != 1 {
		return "", false
	}
	return logins[0], true
}

// lookUp finds a word as it is, as the UID that it is in hex, and as the number that
// is printed on a card: ten digits can be either of the two.
func lookUp(m map[string][]string, word string) (ids []string) {
	keys := []string{word}
	for _, way := range []string{word, "dec:" + word} {
		if uid, err := facility.NormaliseUID(way); err == nil {
			keys = append(keys, uid)
		}
	}
	for _, key := range keys {
		for _, id := range m[key] {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
