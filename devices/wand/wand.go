// Package wand reads the dumps of patrol wands: tables of text in which every line
// says that a wand touched a tag. It makes taps of them and says of every other line
// what is wrong with it; it opens no file and knows no network.
package wand

import (
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"gengfu/facility"
)

// House is what a dump is read against.
type House struct {
	Zone        *time.Location // in which wands show the time
	Now         time.Time
	Checkpoints []facility.Checkpoint
	People      []facility.Person
}

// MaxBytes and mostLines bound a dump: years of a busy wand.
const (
	MaxBytes  = 8 << 20
	mostLines = 100_000
)

// earliest is before any dump: a wand whose clock has lost its time begins again
// in a year long ago.
var earliest = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// ahead is how far a wand's clock may be ahead of ours.
const ahead = 2 * time.Minute

// Read returns every line of the dump that says something, headings left out. The
// same wand at the same tag at the same second is the same tap, with the same id,
// in whatever dump it stands. The error is a *facility.DumpError.
func Read(dump []byte, o facility.DumpOptions, h House) ([]facility.DumpLine, error) {
	if len(dump) > MaxBytes {
		return nil, &facility.DumpError{
			What: say("文件有 %d 字节，超过 %d。", "The file has %d bytes, more than %d.", len(dump), MaxBytes),
			Cure: say("请分成几个文件导入。", "Bring it in as several files."),
		}
	}
	words, err := text(dump)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(words), "\n")
	if len(lines) > mostLines {
		return nil, &facility.DumpError{
			What: say("文件有 %d 行，超过 %d。", "The file has %d lines, more than %d.", len(lines), mostLines),
			Cure: say("请分成几个文件导入。", "Bring it in as several files."),
		}
	}
	wanted, err := parseColumns(o.Columns)
	if err != nil {
		return nil, err
	}
	t := table{lines: lines, comma: separator(lines)}
	columns, first, err := wanted.find(&t)
	if err != nil {
		return nil, err
	}
	r := &reader{columns: columns, options: o, house: h, index: newIndex(h)}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r.read(&t, first), nil
}

// table is the lines of a dump.
type table struct {
	lines []string
	comma rune
}

// cells returns the cells of a line, nil for an empty one.
func (t *table) cells(i int) []string {
	if strings.Trim(t.lines[i], "\t ,;") == "" {
		return nil
	}
	c := csv.NewReader(strings.NewReader(t.lines[i]))
	c.Comma, c.LazyQuotes = t.comma, true
	cells, err := c.Read()
	if err != nil {
		return []string{t.lines[i]} // a quote that does not end: it will lack its columns
	}
	for k, s := range cells {
		// Spreadsheets keep zeros at the front as ="0006547886" or '0006547886.
		s = strings.TrimSpace(s)
		if inner, ok := strings.CutPrefix(s, `="`); ok {
			s = strings.TrimSuffix(inner, `"`)
		}
		cells[k] = strings.TrimSpace(strings.TrimPrefix(s, "'"))
	}
	return cells
}

// separator is the one of comma, semicolon and tab that the first lines have most
// of.
func separator(lines []string) rune {
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		n := 0
		for _, l := range lines[:min(len(lines), headingLines)] {
			n += strings.Count(l, string(c))
		}
		if n > most {
			best, most = c, n
		}
	}
	return best
}

// reader makes taps of lines.
type reader struct {
	columns columns
	options facility.DumpOptions
	house   House
	index   *index
	guard   string // login of the one who carried the wand, where no column says it
}

// check sees to it that what no column says is said for all.
func (r *reader) check() error {
	if r.columns.wand == none && strings.TrimSpace(r.options.Wand) == "" {
		return &facility.DumpError{
			What: say("没有一列是巡更棒编号。", "No column has the number of the wand."),
			Cure: say("请填写巡更棒编号，或指明哪一列是编号（wand=列名）。", "Give the wand's number, or say which column has it (wand=HEADING)."),
		}
	}
	if r.columns.guard != none || r.options.Guard == "" {
		return nil
	}
	login, known := r.index.person(r.options.Guard)
	if !known {
		return &facility.DumpError{What: nobody(r.options.Guard), Cure: addPerson}
	}
	r.guard = login
	return nil
}

func (r *reader) read(t *table, first int) []facility.DumpLine {
	var out []facility.DumpLine
	for i := first; i < len(t.lines); i++ {
		cells := t.cells(i)
		if cells == nil {
			continue
		}
		line := facility.DumpLine{Number: i + 1}
		if r.columns.byNumber && len(out) == 0 && !strings.ContainsAny(r.columns.time.in(cells), "0123456789") {
			continue // headings
		}
		r.fill(&line, cells)
		out = append(out, line)
	}
	return out
}

// fill makes the tap of a line, or says what is wrong with it.
func (r *reader) fill(line *facility.DumpLine, cells []string) {
	at, ok := r.time(line, cells)
	if !ok {
		return
	}
	tag := r.columns.checkpoint.in(cells)
	checkpoint, ok := r.checkpoint(line, tag)
	if !ok {
		return
	}
	number, person := strings.TrimSpace(r.options.Wand), r.guard
	if r.columns.wand != none {
		if number = r.columns.wand.in(cells); number == "" {
			line.What = say("这一行没有巡更棒编号。", "The line has no number of a wand.")
			line.Cure = say("请补上编号。", "Write it there.")
			return
		}
	}
	if name := r.columns.guard.in(cells); name != "" {
		if person, ok = r.index.person(name); !ok {
			line.What, line.Cure = nobody(name), addPerson
			return
		}
	}
	line.Tap = facility.Tap{
		ID: idOf(number, tag, at), Source: facility.TapWand, Reader: number,
		Checkpoint: checkpoint, Person: person, TappedAt: at,
	}
}

func (r *reader) time(line *facility.DumpLine, cells []string) (time.Time, bool) {
	words := r.columns.time.in(cells)
	if date := r.columns.date.in(cells); date != "" {
		words = date + " " + words
	}
	at, err := parseTime(words, r.columns.layout, r.house.Zone)
	switch {
	case strings.TrimSpace(words) == "":
		line.What = say("这一行没有时间。", "The line has no time.")
		line.Cure = say("如果它不是一次打点，可以不管。", "If it is no tap, leave it.")
	case err != nil:
		line.What = say("“%s”不是能识别的时间。", "%q is no time that is known.", words)
		line.Cure = say("请写成 2026/11/22 08:15:00，或指明格式（layout=DD.MM.YYYY hh:mm）。", "Write it as 2026/11/22 08:15:00, or say how it is written (layout=DD.MM.YYYY hh:mm).")
	case at.Before(earliest):
		line.What = say("时间 %s 不可能：巡更棒的时钟曾经复位。", "The time %s cannot be: the wand's clock has lost its time.", words)
		line.Cure = say("请校准巡更棒的时钟并更换电池。", "Set the wand's clock and change its battery.")
	case at.After(r.house.Now.Add(ahead)):
		line.What = say("时间 %s 在将来：巡更棒的时钟偏快。", "The time %s is to come: the wand's clock is ahead.", words)
		line.Cure = say("请校准巡更棒的时钟。", "Set the wand's clock.")
	default:
		return at.UTC(), true
	}
	return time.Time{}, false
}

func (r *reader) checkpoint(line *facility.DumpLine, tag string) (string, bool) {
	ids := r.index.checkpoints(tag)
	switch {
	case tag == "":
		line.What = say("这一行没有巡更点。", "The line has no checkpoint.")
		line.Cure = say("如果它不是一次打点，可以不管。", "If it is no tap, leave it.")
	case len(ids) == 0:
		line.What = say("没有巡更点的标签或名称是“%s”。", "No checkpoint has the tag or the name %q.", tag)
		line.Cure = say("请把它写进该巡更点的 tags，然后再次导入。", "Write it in the tags of its checkpoint, then bring the dump in again.")
	case len(ids) > 1:
		line.What = say("“%s”可能是几个巡更点：%s。", "%q could be several checkpoints: %s.", tag, strings.Join(ids, ", "))
		line.Cure = say("请用标签的十六进制编号。", "Use the tags' numbers in hex.")
	default:
		return ids[0], true
	}
	return "", false
}

// taps is the name space of the ids.
var taps = uuid.MustParse("4e7f7a0c-6a56-5d1b-9c55-0f9a3b1d6e52")

// idOf returns the id of the tap: always the same of the same wand, tag and second.
func idOf(wand, tag string, at time.Time) string {
	if uid, err := facility.NormaliseUID(tag); err == nil {
		tag = uid
	}
	words := fmt.Sprintf("%s\x00%s\x00%d", strings.ToUpper(wand), tag, at.Unix())
	return uuid.NewSHA1(taps, []byte(words)).String()
}

func say(zh, en string, args ...any) facility.Text {
	return facility.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}
}

func nobody(name string) facility.Text {
	return say("没有人的登录名、卡号或姓名是“%s”。", "Nobody has the login, badge or name %q.", name)
}

var addPerson = say("请先添加此人，或不导入这一列。", "Add the person first, or leave the column out.")
