package wand

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"gengfu/facility"
)

var shanghai = time.FixedZone("CST", 8*3600)

var house = House{
	Zone: shanghai, Now: time.Date(2026, 11, 23, 9, 0, 0, 0, shanghai),
	Checkpoints: []facility.Checkpoint{
		{ID: "gate", Name: facility.Text{ZH: "东门岗", EN: "East gate"}, Tags: []string{"04A035B2BC2B80"}},
		{ID: "roof", Name: facility.Text{ZH: "屋面"}, Tags: []string{"010063E9AE", "FB0EE20B"}},
		{ID: "pump-room", Name: facility.Text{ZH: "水泵房"}, Tags: []string{"0012345678"}},
	},
	People: []facility.Person{
		{Login: "zhang", Name: "张三", Badges: []string{"FB0EE20C"}},
		{Login: "li", Name: "李四"},
		{Login: "li2", Name: "李四"},
	},
}

// heard is what a dump says: of each line the checkpoint, the person, the wand and
// the local time, or what is wrong.
func heard(t *testing.T, dump string, o facility.DumpOptions) []string {
	t.Helper()
	lines, err := Read([]byte(dump), o, house)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, l := range lines {
		if !l.What.Empty() {
			if l.Cure.Empty() || l.Tap != (facility.Tap{}) {
				t.Errorf("line %d: %+v", l.Number, l)
			}
			out = append(out, l.What.EN)
			continue
		}
		if l.Tap.Source != facility.TapWand || l.Tap.ID == "" || l.Tap.TappedAt.Location() != time.UTC {
			t.Errorf("line %d: %+v", l.Number, l)
		}
		out = append(out, strings.Join([]string{l.Tap.Checkpoint, l.Tap.Person, l.Tap.Reader, l.Tap.TappedAt.In(shanghai).Format("01-02 15:04:05")}, " "))
	}
	return out
}

func TestRead(t *testing.T) {
	w1 := facility.DumpOptions{Wand: "W1"}
	tests := map[string]struct {
		dump    string
		options facility.DumpOptions
		want    []string
	}{
		"usual headings": {
			"序号,机号,人员,地点,地点卡号,时间\n1,W7,张三,东门岗,04:a0:35:b2:bc:2b:80,2026/11/22 08:15:00\n",
			facility.DumpOptions{},
			[]string{"gate zhang W7 11-22 08:15:00"},
		},
		"headings of English software": {
			"Device;Date;Time;Tag;Guard\r\nW7;2026-11-22;8:15;FB0EE20B;FB0EE20C\r\n",
			facility.DumpOptions{},
			[]string{"roof zhang W7 11-22 08:15:00"},
		},
		"headings that are named": {
			"a\tb\tc\nW7\t22.11.2026 08:15\troof\n",
			facility.DumpOptions{Columns: "wand=a, time=b, checkpoint=c, layout=DD.MM.YYYY hh:mm"},
			[]string{"roof  W7 11-22 08:15:00"},
		},
		"a title above the headings": {
			"巡更记录表,,\n导出时间 2026-11-23,,\n时间,巡更点,姓名\n2026-11-22 08:15:00,屋面,zhang\n", w1,
			[]string{"roof zhang W1 11-22 08:15:00"},
		},
		"numbers, no headings": {
			"1,0006547886,20261122081500\n2,水泵房,20261122 081630\n",
			facility.DumpOptions{Columns: "checkpoint=2,time=3", Wand: "W1"},
			[]string{"roof  W1 11-22 08:15:00", "pump-room  W1 11-22 08:16:30"},
		},
		"numbers and headings": {
			"no,tag,when\n1,0006547886,2026-11-22T08:15:00+08:00\n",
			facility.DumpOptions{Columns: "checkpoint=2,time=3", Wand: "W1"},
			[]string{"roof  W1 11-22 08:15:00"},
		},
		"a heading and a number": {
			"when,tag\n2026年11月22日 8时15分0秒,屋面\n",
			facility.DumpOptions{Columns: "checkpoint=2,time=when", Wand: "W1", Guard: "张三"},
			[]string{"roof zhang W1 11-22 08:15:00"},
		},
		"what spreadsheets add": {
			"\"时间\",\"卡号\"\n\"2026.11.22 8:15\",\"=\"\"0006547886\"\"\"\n2026-11-22 08:16:00,'0006547886\n", w1,
			[]string{"roof  W1 11-22 08:15:00", "roof  W1 11-22 08:16:00"},
		},
		"a number with its zeros, and hex that is a number": {
			"时间,卡号\n2026-11-22 08:15:00,0012345678\n", w1, // hex of the pump room; as a printed number nobody's
			[]string{"pump-room  W1 11-22 08:15:00"},
		},
		"what is wrong with lines": {
			"时间,卡号,人员\n昨天,屋面,张三\n2026-11-22 08:15:00,04FF35B2,张三\n,屋面,\n2026-11-22 08:15:00,,\n2000-01-01 00:00:05,屋面,张三\n" +
				"2027-01-01 08:00:00,屋面,张三\n2026-11-22 08:15:00,屋面,王五\n2026-11-22 08:15:00,屋面,李四\n\n,,\n合计,7\n2026-11-22 08:15:00,屋面,\n", w1,
			[]string{
				`"昨天" is no time that is known.`, `No checkpoint has the tag or the name "04FF35B2".`, "The line has no time.", "The line has no checkpoint.",
				"The time 2000-01-01 00:00:05 cannot be: the wand's clock has lost its time.", "The time 2027-01-01 08:00:00 is to come: the wand's clock is ahead.",
				`Nobody has the login, badge or name "王五".`, `Nobody has the login, badge or name "李四".`, `"合计" is no time that is known.`, "roof  W1 11-22 08:15:00",
			},
		},
		"no wand": {"时间,卡号\n2026-11-22 08:15:00,屋面\n", facility.DumpOptions{}, []string{
			"No column has the number of the wand. Give the wand's number, or say which column has it (wand=HEADING).",
		}},
		"a line without wand": {"时间,卡号,机号\n2026-11-22 08:15:00,屋面,\n", facility.DumpOptions{}, []string{"The line has no number of a wand."}},
		"nobody carried it":   {"时间,卡号\n2026-11-22 08:15:00,屋面\n", facility.DumpOptions{Wand: "W1", Guard: "王五"}, []string{`Nobody has the login, badge or name "王五". Add the person first, or leave the column out.`}},
		"no headings": {"hello\nworld\n", w1, []string{
			"The headings are not among the first 10 lines. Say which column is what, as time=HEADING,checkpoint=HEADING; by number where there are no headings, as time=3,checkpoint=2.",
		}},
		"nothing": {"", w1, []string{
			"The headings are not among the first 10 lines. Say which column is what, as time=HEADING,checkpoint=HEADING; by number where there are no headings, as time=3,checkpoint=2.",
		}},
		"a heading that is not there": {"时间,卡号\n", facility.DumpOptions{Wand: "W1", Columns: "guard=谁"}, []string{
			"The headings are not among the first 10 lines. Say which column is what, as time=HEADING,checkpoint=HEADING; by number where there are no headings, as time=3,checkpoint=2.",
		}},
		"columns that are none": {"时间,卡号\n", facility.DumpOptions{Columns: "wer=谁"}, []string{
			`The column "wer=谁" is not understood. Write time=HEADING,checkpoint=HEADING,guard=HEADING,wand=HEADING,date=HEADING,layout=HOW, with headings or numbers of columns.`,
		}},
		"a workbook": {"PK\x03\x04\x14\x00\x00\x00", w1, []string{"The file is no text in UTF-8 or GBK. Export it as CSV; save an Excel workbook as CSV."}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if got := heard(t, c.dump, c.options); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

const dump = "时间,地点,机号\n2026-11-22 08:15:00,东门岗,W7\n"

func TestEncodings(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(dump)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(dump)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"UTF-8": dump, "with a mark": "\uFEFF" + dump, "GBK": gbk, "UTF-16": utf16} {
		if got := heard(t, s, facility.DumpOptions{}); len(got) != 1 || got[0] != "gate  W7 11-22 08:15:00" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The same fact has one id, in whatever dress, and another fact another.
func TestIDs(t *testing.T) {
	id := func(dump string) string {
		t.Helper()
		lines, err := Read([]byte(dump), facility.DumpOptions{Columns: "wand=1,checkpoint=2,time=3"}, house)
		if err != nil || len(lines) != 1 || !lines[0].What.Empty() {
			t.Fatalf("%q: %+v, %v", dump, lines, err)
		}
		return lines[0].Tap.ID
	}
	one := id("w7,04a035b2bc2b80,2026-11-22 08:15:00")
	if one != "9abb6a34-bc55-5f0f-b7c4-c1edb460e010" {
		t.Errorf("the id of a tap has changed: %s; all dumps would be taken twice", one)
	}
	for _, same := range []string{
		"W7,04:A0:35:B2:BC:2B:80,2026/11/22 8:15", "W7;04A035B2BC2B80;2026-11-22T00:15:00Z",
	} {
		if got := id(same); got != one {
			t.Errorf("%q is %s, not %s", same, got, one)
		}
	}
	for _, other := range []string{
		"W8,04A035B2BC2B80,2026-11-22 08:15:00", "W7,FB0EE20B,2026-11-22 08:15:00", "W7,04A035B2BC2B80,2026-11-22 08:15:01",
	} {
		if id(other) == one {
			t.Errorf("%q has the id of another tap", other)
		}
	}
}

func TestLimits(t *testing.T) {
	for name, dump := range map[string]string{
		"bytes": strings.Repeat("x", MaxBytes+1), "lines": strings.Repeat("\n", mostLines+1),
	} {
		var wrong *facility.DumpError
		if _, err := Read([]byte(dump), facility.DumpOptions{}, house); !errors.As(err, &wrong) || !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("too many %s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(dump), "", "")
	f.Add([]byte("1,0006547886,20261122081500\n"), "checkpoint=2,time=3", "W1")
	f.Add([]byte("\xFF\xFEa\x00"), "layout=YYYY", "")
	f.Fuzz(func(t *testing.T, dump []byte, columns, wand string) {
		lines, err := Read(dump, facility.DumpOptions{Columns: columns, Wand: wand}, house)
		var wrong *facility.DumpError
		if err != nil && (!errors.As(err, &wrong) || wrong.What.Empty() || wrong.Cure.Empty()) {
			t.Fatalf("the error is %v", err)
		}
		last := 0
		for _, l := range lines {
			good := l.Tap.ID != "" && l.Tap.Checkpoint != "" && !l.Tap.TappedAt.Before(earliest) && !l.Tap.TappedAt.After(house.Now.Add(ahead))
			if good != l.What.Empty() || good != l.Cure.Empty() || l.Number <= last {
				t.Fatalf("line %+v after %d", l, last)
			}
			last = l.Number
		}
	})
}
