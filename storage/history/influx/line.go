package influx

import (
	"strconv"
	"strings"

	"gengfu/facility"
	"gengfu/storage/history"
)

var (
	escapeMeasurement = strings.NewReplacer(",", `\,`, " ", `\ `)
	escapeKey         = strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `)
	escapeText        = strings.NewReplacer(`"`, `\"`, `\`, `\\`)
)

// Lines returns rows that pass Row.Check in line protocol, with times in
// milliseconds.
func Lines(site string, rows []history.Row) []byte {
	e := newEncoder(site)
	for i := range rows {
		e.add(&rows[i])
	}
	e.end()
	return e.out
}

// encoder writes rows as line protocol with times in milliseconds. Rows of one
// device and time that follow each other share a line.
type encoder struct {
	site  string // escaped
	out   []byte
	lines int

	last history.Row // of the open line
	ms   int64
	open bool
}

func newEncoder(site string) *encoder { return &encoder{site: escapeKey.Replace(site)} }

// add writes a row that passes Row.Check.
func (e *encoder) add(row *history.Row) {
	ms := row.Time.UnixMilli()
	if !e.fits(row, ms) {
		e.end()
		e.begin(row, ms)
	} else {
		e.out = append(e.out, ',')
	}
	e.last = *row
	e.field(&row.Reading)
}

// fits reports whether the row goes on the open line: a point has one field
// there, or the last word on it would be lost.
func (e *encoder) fits(row *history.Row, ms int64) bool {
	return e.open && ms == e.ms && row.Kind == e.last.Kind && row.Place == e.last.Place &&
		row.Point.Device == e.last.Point.Device && row.Point.Quantity > e.last.Point.Quantity
}

func (e *encoder) begin(row *history.Row, ms int64) {
	e.out = append(e.out, escapeMeasurement.Replace(row.Kind)...)
	e.out = append(append(e.out, ",device="...), escapeKey.Replace(row.Point.Device)...)
	if row.Place != "" {
		e.out = append(append(e.out, ",place="...), escapeKey.Replace(row.Place)...)
	}
	e.out = append(append(e.out, ",site="...), e.site...)
	e.out = append(e.out, ' ')
	e.ms, e.open = ms, true
	e.lines++
}

func (e *encoder) field(r *facility.Reading) {
	key := escapeKey.Replace(r.Point.Quantity)
	if r.Quality != facility.Bad {
		e.out = append(append(e.out, key...), '=')
		e.out = strconv.AppendFloat(e.out, r.Value, 'g', -1, 64)
	}
	switch r.Quality {
	case facility.Bad:
		e.text(key+history.BadSuffix, string(r.Reason))
	case facility.Uncertain:
		e.out = append(e.out, ',')
		e.text(key+history.UncertainSuffix, string(r.Reason))
	}
}

func (e *encoder) text(key, value string) {
	e.out = append(append(e.out, key...), '=', '"')
	e.out = append(append(e.out, escapeText.Replace(value)...), '"')
}

// end closes the open line.
func (e *encoder) end() {
	if e.open {
		e.out = append(e.out, ' ')
		e.out = strconv.AppendInt(e.out, e.ms, 10)
		e.out = append(e.out, '\n')
		e.open = false
	}
}
