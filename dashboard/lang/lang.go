// Package lang holds the sentences that the server itself says, in Chinese and
// English: errors, the summary of the overview and the plain pages. It never
// decides which language a person reads.
package lang

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
)

// Languages are those that every sentence exists in, the default first.
var Languages = [...]string{"zh", "en"}

//go:embed zh.json en.json
var files embed.FS

// sentences is filled once and only read afterwards: language, key, sentence.
var sentences = load()

func load() map[string]map[string]string {
	all := make(map[string]map[string]string, len(Languages))
	for _, language := range Languages {
		table := map[string]string{}
		if err := json.Unmarshal(JSON(language), &table); err != nil {
			panic(fmt.Sprintf("the embedded sentences of %s: %v", language, err)) // a mistake in this package's own file
		}
		all[language] = table
	}
	return all
}

// JSON returns all sentences of a language as one JSON object, or nil when the
// language is not one of Languages.
func JSON(language string) []byte {
	b, err := files.ReadFile(language + ".json")
	if err != nil {
		return nil
	}
	return b
}

// Known reports whether every sentence exists in the language.
func Known(language string) bool { return sentences[language] != nil }

// Args are the values for the "{name}" of a sentence. A facility.Text is put in
// in the language of the sentence.
type Args map[string]any

// In returns one sentence. A key that is missing is returned itself, so that the
// mistake is visible on the page.
func In(language, key string, args Args) string {
	sentence, ok := sentences[language][key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return sentence
	}
	pairs := make([]string, 0, 2*len(args))
	for name, value := range args {
		if t, ok := value.(facility.Text); ok {
			value = t.In(language)
		}
		pairs = append(pairs, "{"+name+"}", fmt.Sprint(value))
	}
	return strings.NewReplacer(pairs...).Replace(sentence)
}

// Text returns the sentence in all languages.
func Text(key string, args Args) facility.Text {
	return facility.Text{ZH: In("zh", key, args), EN: In("en", key, args)}
}

// Count returns the sentence for n things, with n as "{n}". One thing has its
// own sentence, under the key with ".one" at its end.
func Count(key string, n int) facility.Text {
	if n == 1 {
		key += ".one"
	}
	return Text(key, Args{"n": n})
}

// Span returns a length of time in hours and minutes.
func Span(d time.Duration) facility.Text {
	hours, minutes := int(d.Hours()), int(d.Minutes())%60
	in := func(language string) string {
		h, m := In(language, "span.hours", Args{"n": hours}), In(language, "span.minutes", Args{"n": minutes})
		switch {
		case hours == 0:
			return m
		case minutes == 0:
			return h
		}
		return h + " " + m
	}
	return facility.Text{ZH: in("zh"), EN: in("en")}
}
