package lang

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gengfu/facility"
)

// mistakesJSON has what is said of a rule that is wrong: the sentence as the code that
// finds the mistake formats it in English, and the Chinese one, with {1} for its first
// value. A value that is a sentence or a part of one itself is translated too.
//
//go:embed mistakes.json
var mistakesJSON []byte

// mistakes is made once, when somebody first has a rule that is wrong.
var mistakes = sync.OnceValue(loadMistakes)

// pattern recognises what was made of a format.
type pattern struct {
	format  string
	is      *regexp.Regexp
	whole   []bool // by value: it may be a sentence
	literal int    // characters that are no values
	begins  bool   // with a character, not with a value
	zh      string
}

// glossary is the sentences without values, and the others, those first that say more.
type glossary struct {
	plain    map[string]string
	patterns []pattern
}

// verb is a place for a value in a format.
var verb = regexp.MustCompile(`%(\[\d+\])?[a-zA-Z]|%%`)

// values are what stands in the place of a verb.
var values = map[byte]string{'q': `("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')`, 'd': `(-?\d+)`, 'g': `(\S+)`, 'U': `(U\+[0-9A-F]+)`}

func loadMistakes() glossary {
	table := map[string]string{}
	if err := json.Unmarshal(mistakesJSON, &table); err != nil {
		panic(fmt.Sprintf("the embedded sentences of mistakes: %v", err)) // a mistake in this package's own file
	}
	g := glossary{plain: map[string]string{}}
	for _, format := range slices.Sorted(maps.Keys(table)) {
		if verb.MatchString(format) {
			g.patterns = append(g.patterns, patternOf(format, table[format]))
		} else {
			g.plain[format] = table[format]
		}
	}
	slices.SortStableFunc(g.patterns, func(a, b pattern) int {
		if a.begins != b.begins {
			return cmp.Compare(truth(b.begins), truth(a.begins))
		}
		return cmp.Compare(b.literal, a.literal)
	})
	return g
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func patternOf(format, zh string) pattern {
	p := pattern{format: format, zh: zh}
	var expression strings.Builder
	expression.WriteString(`(?s)^`)
	at := 0
	for _, v := range verb.FindAllStringIndex(format, -1) {
		expression.WriteString(regexp.QuoteMeta(format[at:v[0]]))
		p.literal += v[0] - at
		at = v[1]
		kind := format[v[1]-1]
		if kind == '%' {
			expression.WriteString(`%`)
			continue
		}
		p.begins = p.begins || p.literal > 0 && len(p.whole) == 0
		p.whole = append(p.whole, kind == 's')
		value, ok := values[kind]
		if !ok {
			value = `(.+?)`
		}
		expression.WriteString(value)
	}
	expression.WriteString(regexp.QuoteMeta(format[at:]) + `$`)
	p.literal += len(format) - at
	p.is = regexp.MustCompile(expression.String())
	return p
}

// Mistake returns what is said of a rule that is wrong in all languages. What has no
// Chinese sentence, such as a message of a parser, stays as it is.
func Mistake(english string) facility.Text {
	return facility.Text{ZH: mistakes().chinese(english), EN: english}
}

func (g glossary) chinese(english string) string {
	if zh, ok := g.plain[english]; ok {
		return zh
	}
	for _, p := range g.patterns {
		found := p.is.FindStringSubmatch(english)
		if found == nil {
			continue
		}
		pairs := make([]string, 0, 2*len(p.whole))
		for i, value := range found[1:] {
			if p.whole[i] {
				value = g.chinese(value)
			}
			pairs = append(pairs, fmt.Sprintf("{%d}", i+1), value)
		}
		return strings.NewReplacer(pairs...).Replace(p.zh)
	}
	return english
}
