package wand

import (
	"slices"
	"strconv"
	"strings"

	"gengfu/facility"
)

// column is the place of a cell, from 0.
type column int

const none column = -1

// in returns the cell of a line, empty where it has none.
func (c column) in(cells []string) string {
	if c == none || int(c) >= len(cells) {
		return ""
	}
	return cells[c]
}

// columns is what each column of a table says.
type columns struct {
	time, date, checkpoint, guard, wand column

	layout   string
	byNumber bool // all were named by number, so that there may be headings or not
}

// The things that columns say, in the order in which headings are given to them.
const (
	ofTime       = "time"
	ofDate       = "date"
	ofCheckpoint = "checkpoint"
	ofGuard      = "guard"
	ofWand       = "wand"
	ofLayout     = "layout"
)

var things = []string{ofTime, ofDate, ofCheckpoint, ofGuard, ofWand}

// usual are the headings that the software of wands writes, the surest first.
var usual = map[string][]string{
	ofTime:       {"巡检时间", "巡更时间", "打卡时间", "刷卡时间", "读卡时间", "日期时间", "时间", "datetime", "date time", "timestamp", "time"},
	ofDate:       {"巡检日期", "巡更日期", "日期", "date"},
	ofCheckpoint: {"地点卡号", "地点编号", "巡更点卡号", "点卡号", "巡更点", "巡检点", "巡检地点", "地点名称", "地点", "卡号", "checkpoint", "point", "location", "tag", "uid", "card"},
	ofGuard:      {"巡检员", "巡更员", "巡更人员", "巡检人员", "人员名称", "人员", "姓名", "guard", "person", "name"},
	ofWand:       {"巡更棒编号", "巡检器编号", "巡更机号", "巡更棒", "巡检器", "棒号", "机号", "设备号", "设备编号", "wand", "reader", "device", "serial"},
}

// wish is which column is to say what, as somebody wrote it: a heading, or a number
// from 1.
type wish map[string]string

func parseColumns(s string) (wish, error) {
	w := wish{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		thing, name, ok := strings.Cut(part, "=")
		thing, name = strings.ToLower(strings.TrimSpace(thing)), strings.TrimSpace(name)
		if !ok || name == "" || thing != ofLayout && !slices.Contains(things, thing) {
			return nil, &facility.DumpError{
				What: say("列“%s”看不懂。", "The column %q is not understood.", part),
				Cure: say("请写成 time=时间,checkpoint=卡号,guard=姓名,wand=机号,date=日期,layout=格式；右边是列名或列号。",
					"Write time=HEADING,checkpoint=HEADING,guard=HEADING,wand=HEADING,date=HEADING,layout=HOW, with headings or numbers of columns."),
			}
		}
		w[thing] = name
	}
	return w, nil
}

// headingLines is how far down the headings may be: there may be a title above.
const headingLines = 10

// find says which column says what, and which line is the first below the headings.
func (w wish) find(t *table) (columns, int, error) {
	if c, ok := w.numbers(); ok {
		return c, 0, nil
	}
	for i := range t.lines[:min(len(t.lines), headingLines)] {
		if c, ok := w.headings(t.cells(i)); ok {
			return c, i + 1, nil
		}
	}
	return columns{}, 0, &facility.DumpError{
		What: say("前 %d 行里找不到列名。", "The headings are not among the first %d lines.", headingLines),
		Cure: say("请指明哪一列是什么，例如 time=巡检时间,checkpoint=地点卡号；没有列名时用列号，例如 time=3,checkpoint=2。",
			"Say which column is what, as time=HEADING,checkpoint=HEADING; by number where there are no headings, as time=3,checkpoint=2."),
	}
}

// numbers is the columns when all that are wished for are named by number.
func (w wish) numbers() (columns, bool) {
	c := columns{time: none, date: none, checkpoint: none, guard: none, wand: none, layout: w[ofLayout], byNumber: true}
	for _, thing := range things {
		name, wished := w[thing]
		if !wished {
			continue
		}
		n, err := strconv.Atoi(name)
		if err != nil || n < 1 || n > 1000 {
			return columns{}, false
		}
		*c.place(thing) = column(n - 1)
	}
	return c, c.time != none && c.checkpoint != none
}

// headings is the columns of a line of headings; false when it is none.
func (w wish) headings(cells []string) (columns, bool) {
	c := columns{time: none, date: none, checkpoint: none, guard: none, wand: none, layout: w[ofLayout]}
	for _, thing := range things {
		names := usual[thing]
		name, wished := w[thing]
		if wished {
			names = []string{name}
		}
		at := c.heading(cells, names)
		if n, err := strconv.Atoi(name); at == none && err == nil && n >= 1 && n <= len(cells) {
			at = column(n - 1)
		}
		if wished && at == none {
			return columns{}, false
		}
		*c.place(thing) = at
	}
	return c, c.time != none && c.checkpoint != none
}

// heading finds the first of the names in a column that says nothing else.
func (c *columns) heading(cells, names []string) column {
	for _, name := range names {
		for i, cell := range cells {
			if strings.EqualFold(cell, name) && !c.taken(column(i)) {
				return column(i)
			}
		}
	}
	return none
}

func (c *columns) taken(at column) bool {
	for _, thing := range things {
		if *c.place(thing) == at {
			return true
		}
	}
	return false
}

func (c *columns) place(thing string) *column {
	switch thing {
	case ofTime:
		return &c.time
	case ofDate:
		return &c.date
	case ofCheckpoint:
		return &c.checkpoint
	case ofGuard:
		return &c.guard
	}
	return &c.wand
}
