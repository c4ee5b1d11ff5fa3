package lifecycle_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// TestDocs holds docs/alarms.md, and its translation, to what Step does. With
// WRITE_DOCS=1 it writes the tables anew.
func TestDocs(t *testing.T) {
	holdTo(t, "../../docs/alarms.md", document())
	holdTo(t, "../../docs/alarms.zh-CN.md", inChinese.Replace(document()))
}

// inChinese are the words of the table, as the pages have them.
var inChinese = strings.NewReplacer(
	"latched_unacknowledged", "已锁存，未确认", "latched_acknowledged", "已锁存，待复位",
	"unacknowledged", "未确认", "acknowledged", "已确认", "returned", "已恢复，未确认", "normal", "正常",
	"last hold ends", "静默全部结束", "held: ", "静默：", "latch: ", "锁存：", "; ", "；",
	"state", "状态", "condition", "条件", "there", "在", "gone", "消失",
	"raise", "报警", "clear", "恢复", "acknowledge", "确认", "realarm", "再次报警", "reset", "复位", "retire", "撤下",
)

func holdTo(t *testing.T, file, table string) {
	t.Helper()
	const begin, end = "<!-- table -->\n", "<!-- /table -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks of the table", file)
	}
	want := head + begin + table + end + tail
	if want == string(raw) {
		return
	}
	if os.Getenv("WRITE_DOCS") == "" {
		t.Fatalf("%s is not what Step does: run this test with WRITE_DOCS=1", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func document() string {
	var b strings.Builder
	moves := events[:6]
	b.WriteString("| state | condition |")
	for _, e := range moves {
		b.WriteString(" " + string(e) + " |")
	}
	b.WriteString(" last hold ends |\n|---|---|" + strings.Repeat("---|", len(moves)+1) + "\n")
	for _, base := range bases {
		b.WriteString("| " + string(base) + " | " + map[bool]string{true: "there", false: "gone"}[base.Active()] + " |")
		for _, e := range moves {
			b.WriteString(" " + cell(base, e) + " |")
		}
		b.WriteString(" " + move(base, facility.AlarmUnshelve, true, false) + " |\n")
	}
	return b.String()
}

// cell is what the event does, and what it does otherwise while held or with a latch.
func cell(base facility.AlarmState, e facility.AlarmEvent) string {
	out := move(base, e, false, false)
	for _, c := range []struct {
		name        string
		held, latch bool
	}{{"held", true, false}, {"latch", false, true}} {
		if other := move(base, e, c.held, c.latch); strings.TrimSuffix(other, " 🔔") != strings.TrimSuffix(out, " 🔔") {
			out += "; " + c.name + ": " + other
		}
	}
	return out
}

func move(base facility.AlarmState, e facility.AlarmEvent, held, latch bool) string {
	s := lifecycle.State{Base: base, Priority: facility.P3, Told: start.Add(-2 * time.Hour), ToldAs: facility.P3}
	if held {
		s.Shelf = lifecycle.Hold{By: "li", Reason: "works", Since: start, Until: start.Add(time.Hour)}
	}
	in := lifecycle.Input{Event: e, At: start, By: "wang", Priority: facility.P3}
	if held && e == facility.AlarmRealarm {
		in.Priority = facility.P1
	}
	_, tr, err := s.Step(lifecycle.Policy{Latch: latch, Realarm: time.Hour}, in)
	switch {
	case err != nil:
		return "–"
	case tr.Annunciate:
		return string(tr.To) + " 🔔"
	}
	return string(tr.To)
}
