package rules

import (
	"strings"
	"time"
	"unicode"
)

// literal is what stands behind a number in a condition: a unit, or a stretch of
// time such as 15m. Which of the two "m" is says the place where it stands.
type literal struct {
	unit   string        // "" when it is no unit: 1h30m
	span   time.Duration // 0 when it is no time, or stands apart from its number
	joined bool          // to its number, without a space
	from   int           // index of the number's first character
	to     int           // index behind the unit
}

// lift takes the units out of a condition and puts spaces in their place, so that
// the rest is expr's language with every character where it was.
func lift(text string) (string, map[int]literal) {
	s := scanner{runes: []rune(text), found: map[int]literal{}}
	for s.at < len(s.runes) {
		switch r := s.runes[s.at]; {
		case r == '"' || r == '\'' || r == '`':
			s.quoted(r)
		case unicode.IsLetter(r) || r == '_' || r == '$':
			s.word()
		case unicode.IsDigit(r) || r == '.' && s.at+1 < len(s.runes) && unicode.IsDigit(s.runes[s.at+1]):
			s.number()
		default:
			s.at++
		}
	}
	return string(s.runes), s.found
}

type scanner struct {
	runes []rune
	at    int
	found map[int]literal
}

func (s *scanner) quoted(q rune) {
	for s.at++; s.at < len(s.runes) && s.runes[s.at] != q; s.at++ {
		if s.runes[s.at] == '\\' && q != '`' {
			s.at++
		}
	}
	s.at++
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

func (s *scanner) word() {
	for s.at < len(s.runes) && (inWord(s.runes[s.at]) || s.runes[s.at] == '$') {
		s.at++
	}
}

// number steps over a number and takes what stands behind it.
func (s *scanner) number() {
	from := s.at
	s.digits()
	if s.at < len(s.runes) && from+1 == s.at && s.runes[from] == '0' && strings.ContainsRune("xXbBoO", s.runes[s.at]) {
		s.word()
		return
	}
	if s.at+1 < len(s.runes) && s.runes[s.at] == '.' && s.runes[s.at+1] != '.' {
		s.at++
		s.digits()
	}
	s.exponent()
	end := s.at
	if l, ok := s.compound(end); ok {
		s.take(from, end, l)
		return
	}
	for s.at < len(s.runes) && (s.runes[s.at] == ' ' || s.runes[s.at] == '\t') {
		s.at++
	}
	name := s.symbol(s.at)
	if name == "" {
		s.at = end
		return
	}
	l := literal{unit: name, joined: s.at == end, to: s.at + len([]rune(name))}
	if d, err := spanOf(string(s.runes[from:end]) + name); l.joined && err == nil {
		l.span = d
	}
	s.take(from, end, l)
}

func (s *scanner) digits() {
	for s.at < len(s.runes) && (unicode.IsDigit(s.runes[s.at]) || s.runes[s.at] == '_') {
		s.at++
	}
}

// exponent steps over "e-3", but not over the e of a word.
func (s *scanner) exponent() {
	at := s.at
	if at >= len(s.runes) || s.runes[at] != 'e' && s.runes[at] != 'E' {
		return
	}
	at++
	if at < len(s.runes) && (s.runes[at] == '+' || s.runes[at] == '-') {
		at++
	}
	if at < len(s.runes) && unicode.IsDigit(s.runes[at]) {
		s.at = at
		s.digits()
	}
}

// compound reads the rest of a time of several parts, as 1h30m.
func (s *scanner) compound(end int) (literal, bool) {
	at, parts := end, 0
	for at < len(s.runes) && (unicode.IsLetter(s.runes[at]) || parts > 0 && (unicode.IsDigit(s.runes[at]) || s.runes[at] == '.')) {
		if unicode.IsLetter(s.runes[at]) && (at == end || !unicode.IsLetter(s.runes[at-1])) {
			parts++
		}
		at++
	}
	if parts < 2 {
		return literal{}, false
	}
	from := end
	for from > 0 && (unicode.IsDigit(s.runes[from-1]) || s.runes[from-1] == '.') {
		from--
	}
	d, err := spanOf(string(s.runes[from:at]))
	return literal{span: d, joined: true, to: at}, err == nil && !s.goesOn(at)
}

func (s *scanner) goesOn(at int) bool { return at < len(s.runes) && inWord(s.runes[at]) }

// take notes what stands behind the number and blanks it.
func (s *scanner) take(from, end int, l literal) {
	l.from = from
	s.found[from] = l
	for i := end; i < l.to; i++ {
		s.runes[i] = ' '
	}
	s.at = l.to
}

// longestSymbol bounds the search for a unit, in characters.
const longestSymbol = 12

// symbol returns the longest unit that begins at the index at, or "".
func (s *scanner) symbol(at int) string {
	for n := min(longestSymbol, len(s.runes)-at); n > 0; n-- {
		name := string(s.runes[at : at+n])
		if _, ok := known(name); !ok || name == "1" {
			continue
		}
		last := s.runes[at+n-1]
		switch {
		case inWord(last) && s.goesOn(at+n): // "3 min" must not be 3 m
		case name == "%" && s.operand(at+n): // 10 % 3 is what remains
		default:
			return name
		}
	}
	return ""
}

// operand reports whether something to count with begins at the index at.
func (s *scanner) operand(at int) bool {
	for at < len(s.runes) && unicode.IsSpace(s.runes[at]) {
		at++
	}
	if at >= len(s.runes) {
		return false
	}
	r := s.runes[at]
	if unicode.IsLetter(r) {
		from := at
		for s.goesOn(at) {
			at++
		}
		w := string(s.runes[from:at])
		return w != "and" && w != "or"
	}
	return unicode.IsDigit(r) || strings.ContainsRune("(.-+\"'_", r)
}

// spanOf reads a stretch of time: as Go writes it, with d for days and min for m.
func spanOf(text string) (time.Duration, error) {
	text = strings.ReplaceAll(text, "min", "m")
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	// A day is 24 hours here, whatever the clock change does.
	d, err := time.ParseDuration(days + "h")
	if err != nil || rest == "" {
		return 24 * d, err
	}
	r, err := time.ParseDuration(rest)
	return 24*d + r, err
}
