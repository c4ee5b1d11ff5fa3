package rules

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gengfu/facility"
)

// The parser says of a text that is no condition which token it did not expect. People
// want to hear what they did: so what they commonly do is looked for first.

// foreign are characters that stand on a keyboard beside those of the language, and what
// those are. The other full-width ones are found by their distance to them.
var foreign = map[rune]string{
	'“': `"`, '”': `"`, '„': `"`, '‘': `"`, '’': `"`, '「': `"`, '」': `"`, '《': "<", '》': ">", '〈': "<", '〉': ">",
	'。': ".", '、': ",", '【': "(", '】': ")", '≥': ">=", '≤': "<=", '≧': ">=", '≦': "<=", '≠': "!=", '×': "*", '÷': "/",
	'–': "-", '—': "-", '−': "-", '∧': "and", '∨': "or", '¬': "not", '\u00a0': "a space", '\u3000': "a space", '\u202f': "a space", '\ufeff': "nothing",
}

// meant returns what a character stands for that is none of the language.
func meant(r rune) (string, bool) {
	if ours, ok := foreign[r]; ok {
		return ours, true
	}
	const distance = '！' - '!'
	if r >= '！' && r <= '～' {
		return string(r - distance), true
	}
	return "", false
}

// words are what people write for words and signs of the language.
var words = map[string]string{
	"且": "and", "并且": "and", "而且": "and", "同时": "and", "和": "and", "与": "and", "或": "or", "或者": "or", "非": "not", "不是": "not", "不": "not",
	"AND": "and", "And": "and", "OR": "or", "Or": "or", "NOT": "not", "Not": "not", "xor": "!=",
	"大于": ">", "小于": "<", "等于": "==", "不等于": "!=", "is": "==", "equals": "==", "above": ">", "below": "<",
}

// localUnits are what people call units, and what the language does.
var localUnits = map[string]string{
	"公斤": "bar (about one 公斤 of pressure) or kg", "kgf": "bar (about one kgf/cm²)", "兆帕": "MPa", "千帕": "kPa", "帕": "Pa", "巴": "bar",
	"米": "m", "厘米": "cm", "公分": "cm", "毫米": "mm", "公里": "km", "方": "m3", "立方": "m3", "立方米": "m3", "吨": "t, or m3 of water", "升": "l",
	"度": "kWh, or °C of a temperature", "度电": "kWh", "千瓦时": "kWh", "千瓦": "kW", "瓦": "W", "安": "A", "安培": "A", "伏": "V", "伏特": "V", "千伏": "kV", "赫": "Hz", "赫兹": "Hz", "转": "rpm",
	"秒": "s", "秒钟": "s", "分": "min", "分钟": "min", "小时": "h", "时": "h", "点": "h", "天": "d", "日": "d", "周": "d: a week is 7d", "月": "d: a month is 30d",
	"C": "°C", "摄氏度": "°C", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "mins": "min", "minute": "min", "minutes": "min",
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "d: a week is 7d", "weeks": "d: a week is 7d", "month": "d: a month is 30d", "months": "d: a month is 30d",
	"cbm": "m3", "liter": "l", "litre": "l", "liters": "l", "litres": "l", "percent": "%", "pct": "%", "deg": "°C", "volt": "V", "volts": "V", "amp": "A", "amps": "A",
	"个": "no unit", "次": "no unit", "台": "no unit", "倍": "no unit",
}

// unitNames are those that are proposed.
var unitNames = strings.Fields("% mm cm m km m2 m3 l kg t s min h d Hz rpm mA A kA V kV W kW MW kVA kvar kWh MWh kvarh kJ MJ GJ Pa kPa MPa mbar bar psi K °C m3/h l/s l/min m3/d")

// hint says which of the common mistakes stands in a text, the first of them. It is nil
// when there is none. Only the characters that are foreign are wrong in any text; the
// rest is asked of one that the parser refused.
func hint(text string, refused bool) *mistake {
	bare, _ := lift(text)
	h := hints{scanner: scanner{runes: []rune(bare), found: map[int]literal{}}, text: []rune(text), refused: refused}
	for h.at < len(h.runes) && h.found == nil {
		h.step()
	}
	if h.found == nil && refused {
		h.atEnd()
	}
	return h.found
}

// hints goes over a text from which units are lifted.
type hints struct {
	scanner
	text    []rune
	refused bool
	open    []int // where brackets are that are not closed yet
	before  string
	found   *mistake
}

func (h *hints) say(at int, what, cure string) {
	if h.found == nil {
		h.found = &mistake{at: at, what: what, cure: cure}
	}
}

// step goes over one word, number, quote or sign.
func (h *hints) step() {
	from, r := h.at, h.runes[h.at]
	switch {
	case h.alien(r):
	case r == '"' || r == '\'' || r == '`':
		if h.quoted(r); h.at > len(h.runes) && h.refused {
			h.say(from, "The quote that begins here is not closed.", "Close it, as in \"night-shift\".")
		}
		h.before = "quote"
	case unicode.IsDigit(r) || r == '.' && from+1 < len(h.runes) && unicode.IsDigit(h.runes[from+1]):
		h.aNumber(from)
	case unicode.IsLetter(r) || r == '_' || r == '$':
		h.aWord(from)
	case unicode.IsSpace(r):
		h.at++
	default:
		h.aSign(from, r)
	}
}

// alien notes a character that is none of the language.
func (h *hints) alien(r rune) bool {
	ours, ok := meant(r)
	if !ok {
		return false
	}
	what, cure := fmt.Sprintf("%q is no character of the language.", string(r)), fmt.Sprintf("Write %s.", ours)
	if ours == "," && len(h.open) == 0 {
		cure = "Write and where both must hold, or where one is enough."
	}
	if unicode.IsSpace(r) || r == '\ufeff' {
		what = fmt.Sprintf("A character stands here that only looks like %s (%U).", ours, r)
	}
	h.say(h.at, what, cure)
	return true
}

func (h *hints) aWord(from int) {
	h.word()
	w := string(h.runes[from:h.at])
	if ours, ok := words[w]; ok && h.refused {
		h.say(from, fmt.Sprintf("%q is not a word of the language.", w), fmt.Sprintf("Write %s.", ours))
	}
	switch {
	case !h.refused:
	case w == "for":
		h.say(from, `"for" is not a word of conditions.`, "How long a condition must hold is on_delay of the rule; of a part of it, held(x > 1, 10m).")
	case w == "then", w == "when":
		h.say(from, fmt.Sprintf("%q is not a word of conditions.", w), "Leave it out.")
	case w == "between" && h.before == "word":
		h.say(from, "between is for times of day.", "Write level > 1 m and level < 2 m.")
	}
	if h.before = "word"; w == "and" || w == "or" {
		h.before = "joining"
	}
}

func (h *hints) aNumber(from int) {
	if h.before == "number" && h.refused {
		h.say(from, "Two numbers stand beside each other.", "Write one number, such as 1000 or 1.5, or put a sign between them.")
	}
	if (h.before == "word" || h.before == "closed") && h.refused {
		h.say(from, "A sign is missing before the number.", "Write a comma between what a function takes, or a comparison such as <.")
	}
	h.number()
	end, name := h.at, ""
	at := end
	for at < len(h.runes) && h.runes[at] == ' ' {
		at++
	}
	if at < len(h.runes) && unicode.IsLetter(h.runes[at]) && !slices.Equal(h.text[end:at], h.runes[end:at]) {
		at = len(h.runes) // a unit stood between
	}
	for i := at; i < len(h.runes) && unicode.IsLetter(h.runes[at]) && (inWord(h.runes[i]) || h.runes[i] == '/' && i > at); i++ {
		name += string(h.runes[i])
	}
	h.before = "number"
	number := string(h.text[from:end])
	next := func(signs string) bool {
		return end+1 < len(h.runes) && h.runes[end] == rune(signs[0]) && unicode.IsDigit(h.runes[end+1])
	}
	switch {
	case !h.refused:
	case name != "" && !isWord(name):
		h.say(at, fmt.Sprintf("%q is no unit that is known here.", name), unitCure(name))
	case next(":") && !strings.ContainsRune(string(h.runes), '?'):
		h.say(from, "A time of day is not written so.", `Write between("08:00", "18:30"), or hour >= 8.5 for from half past eight on.`)
	case next(",") && len(h.open) == 0:
		h.say(end, fmt.Sprintf("A comma stands in the number %s.", number), "Write a point, as in 1.8.")
	}
}

// isWord reports whether a word that stands behind a number is one of the language.
func isWord(w string) bool {
	w, _, _ = strings.Cut(w, "/")
	_, meant := words[w]
	return meant && localUnits[w] == "" || slices.Contains([]string{"and", "or", "not", "in", "matches", "contains", "for", "then", "else"}, w)
}

// unitCure says which unit was meant.
func unitCure(name string) string {
	for _, n := range []string{name, before(name, "/")} {
		if ours, ok := localUnits[n]; ok {
			return fmt.Sprintf("Write %s.", ours)
		}
	}
	for _, u := range unitNames {
		if strings.EqualFold(u, name) {
			return fmt.Sprintf("Write %s: units have their capital letters.", u)
		}
	}
	cure := fmt.Sprintf("Units are %s, or one over another.", strings.Join(unitNames, " "))
	if near := facility.Nearest(name, unitNames); near != "" {
		cure = fmt.Sprintf("Did you mean %q? %s", near, cure)
	}
	return cure
}

func before(s, cut string) string {
	s, _, _ = strings.Cut(s, cut)
	return s
}

// signs are what people write for signs of the language.
var signs = []struct{ theirs, ours string }{
	{"===", "=="}, {"!==", "!="}, {"=>", ">="}, {"=<", "<="}, {"<>", "!="}, {"=!", "!="}, {":=", "=="},
}

func (h *hints) aSign(from int, r rune) {
	h.at++
	rest := string(h.runes[from:])
	switch r {
	case '(', '[', '{':
		h.open = append(h.open, from)
	case ')', ']', '}':
		if len(h.open) == 0 {
			if h.refused {
				h.say(from, "A bracket is closed here that was not opened.", "Leave it out, or open it where the part begins.")
			}
			return
		}
		h.open = h.open[:len(h.open)-1]
		h.before = "closed"
		return
	}
	before := h.before
	h.before = "sign"
	if !h.refused {
		return
	}
	for _, s := range signs {
		if strings.HasPrefix(rest, s.theirs) {
			h.say(from, fmt.Sprintf("%q is not a sign of the language.", s.theirs), fmt.Sprintf("Write %s.", s.ours))
			return
		}
	}
	doubled := strings.HasPrefix(rest, string([]rune{r, r}))
	switch {
	case strings.ContainsRune("<>=!", r) && len(rest) > 1 && rest[1] == '=' || strings.ContainsRune("&|*", r) && doubled:
		h.at++
	case r == '=':
		h.say(from, `"=" is not a comparison.`, "Write == to ask whether both are the same.")
	case r == '&':
		h.say(from, `"&" is not a sign of the language.`, "Write and. For bits there is bitand(fault_word, 4) != 0.")
	case r == '|':
		h.say(from, `"|" is not a sign of the language.`, "Write or. For bits there is bitor(x, 4).")
	case r == ',' && len(h.open) == 0:
		h.say(from, "A comma stands outside of the brackets of a function.", "Write and where both must hold, or where one is enough.")
	}
	if strings.ContainsRune("<>=!", r) && before == "joining" && (r != '!' || strings.HasPrefix(rest, "!=")) {
		h.say(from, "What is compared is missing.", "Name it again, as in level > 1 m and level < 2 m.")
	}
}

// atEnd looks at what is missing when all is read.
func (h *hints) atEnd() {
	end := len([]rune(strings.TrimRightFunc(string(h.text), unicode.IsSpace)))
	switch {
	case len(h.open) > 0:
		h.say(h.open[len(h.open)-1], "The bracket that is opened here is not closed.", "Close it where the part ends.")
	case h.before == "sign" || h.before == "joining":
		h.say(end-1, "The condition ends in the middle.", "Write what comes next, or leave out the last word or sign.")
	}
}
