package facility

import "encoding/json"

// Text is a name or sentence in the languages of the product, Chinese first. A
// missing English text falls back to the Chinese one, and the other way round.
type Text struct {
	ZH string `json:"zh" yaml:"zh"`
	EN string `json:"en" yaml:"en"`
}

// In returns the text in the language lang ("zh" or "en").
func (t Text) In(lang string) string {
	if lang == "en" && t.EN != "" || t.ZH == "" {
		return t.EN
	}
	return t.ZH
}

// Empty reports whether no language has a text.
func (t Text) Empty() bool { return t == Text{} }

// Whole fills in a missing language, as writing the text down would.
func (t Text) Whole() Text { return Text{ZH: t.In("zh"), EN: t.In("en")} }

// UnmarshalYAML accepts a plain string, good for all languages, or a mapping of
// zh and en.
func (t *Text) UnmarshalYAML(unmarshal func(any) error) error {
	var s string
	if err := unmarshal(&s); err == nil {
		*t = Text{ZH: s}
		return nil
	}
	type plain Text
	return unmarshal((*plain)(t))
}

// MarshalJSON fills a missing language, so that readers need no fallback.
func (t Text) MarshalJSON() ([]byte, error) {
	type plain Text
	return json.Marshal(plain{ZH: t.In("zh"), EN: t.In("en")})
}
