package command

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// detected runs the command over a table and returns what it wrote and said.
func detected(t *testing.T, kind, table string, more ...string) (written, said string, code int) {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(in, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	code = Main(t.Context(), "test", append([]string{"detect", "--kind", kind, in, out}, more...), nil, &text, &text)
	data, err := os.ReadFile(out)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 && len(left) != 1 {
		t.Errorf("something is left of a table that was not whole: %v", left)
	}
	return string(data), text.String(), code
}

// hourly is a table of n hours of one value.
func hourly(n int, value func(i int) string) string {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range n {
		fmt.Fprintf(&b, "%s,%s\n", time.Date(2026, 3, 2, i, 0, 0, 0, time.UTC).Format(time.DateTime), value(i))
	}
	return b.String()
}

func TestDetectWritesARowForEachRow(t *testing.T) {
	register := 0
	table := hourly(70*24, func(i int) string {
		if h := i % 24; h > 6 && h < 22 && i%3 == 0 {
			register += 20 + i%7
		}
		if i >= 60*24 {
			register += 25
		}
		return fmt.Sprint(register)
	})
	written, said, code := detected(t, "water_meter", table)
	if code != 0 || said != "" {
		t.Fatalf("exit status %d, said %q", code, said)
	}
	rows := strings.Split(strings.TrimSuffix(written, "\n"), "\n")
	given := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
	if rows[0] != "timestamp,anomaly_score,flag" || len(rows) != len(given) {
		t.Fatalf("%d rows for %d, headed %q", len(rows), len(given), rows[0])
	}
	first := 0
	for i := range rows[1:] {
		cells := strings.Split(rows[1+i], ",")
		stamp, _, _ := strings.Cut(given[1+i], ",")
		if len(cells) != 3 || cells[0] != stamp || len(cells[1]) != len("0.000000") || (cells[2] != "0" && cells[2] != "1") {
			t.Fatalf("row %d is %q for %q", i+1, rows[1+i], given[1+i])
		}
		if cells[2] == "1" && first == 0 {
			first = i
		}
	}
	if first < 60*24 || first > 61*24 {
		t.Errorf("the leak of hour %d is flagged first at hour %d", 60*24, first)
	}
}

func TestDetectTakesTablesAsTheyCome(t *testing.T) {
	plain, _, _ := detected(t, "device", "timestamp,a,b\n2026-03-02 00:00:00,1,2\n2026-03-02 00:00:01,2,\n2026-03-02 00:00:02,3,NaN\n")
	for name, table := range map[string]string{
		"semicolons":         "datetime;a;b\n2026-03-02 00:00:00;1;2\n2026-03-02 00:00:01;2;\n2026-03-02 00:00:02;3;NaN\n",
		"tabs, and a mark":   "\ufefftimestamp\ta\tb\r\n2026-03-02 00:00:00\t1\t2\r\n2026-03-02 00:00:01\t2\t\r\n2026-03-02 00:00:02\t3\tNaN\r\n",
		"quotes":             "\"timestamp\",\"a\",\"b\"\n\"2026-03-02 00:00:00\",\"1\",\"2\"\n2026-03-02 00:00:01,2,\n2026-03-02 00:00:02,3,NaN\n",
		"no end of line":     "timestamp,a,b\n2026-03-02 00:00:00,1,2\n2026-03-02 00:00:01,2,\n2026-03-02 00:00:02,3,NaN",
		"a last comma":       "timestamp,a,b,\n2026-03-02 00:00:00,1,2,\n2026-03-02 00:00:01,2,,\n2026-03-02 00:00:02,3,NaN,\n",
		"answers are hidden": "timestamp,a,b,anomaly,changepoint\n2026-03-02 00:00:00,1,2,0,0\n2026-03-02 00:00:01,2,,1,1\n2026-03-02 00:00:02,3,NaN,,\n",
	} {
		if got, said, code := detected(t, "device", table); got != plain || code != 0 {
			t.Errorf("%s: exit status %d, said %q, wrote\n%s\nwant\n%s", name, code, said, got, plain)
		}
	}
	if strings.Count(plain, "\n") != 4 {
		t.Errorf("wrote\n%s", plain)
	}
}

// TestDetectReadsTimesAndNumbersAsTheyAreWritten writes one series in many ways: what is
// said of it is the same, and its times are given back as they were.
func TestDetectReadsTimesAndNumbersAsTheyAreWritten(t *testing.T) {
	at := func(i int) time.Time { return time.Date(2026, 3, 2, 0, 5*i, 0, 0, time.UTC) }
	value := func(i int) float64 { return 50 + float64(i*37%11) + 500*float64(i/350%2*(1-i%350/3)) }
	written := func(name, head, separator, point string, clock func(time.Time) string) string {
		var b strings.Builder
		b.WriteString(head + "\n")
		for i := range 400 {
			cells := []string{clock(at(i)), strings.Replace(fmt.Sprintf("%.1f", value(i)), ".", point, 1)}
			if i%50 == 9 {
				cells[1] = []string{"", "NA", "null", "NaN"}[i/50%4]
			}
			if !strings.HasPrefix(head, "v") {
				b.WriteString(cells[0] + separator + cells[1] + "\n")
			} else {
				b.WriteString(cells[1] + separator + cells[0] + "\n")
			}
		}
		out, said, code := detected(t, "series", b.String())
		if code != 0 || said != "" {
			t.Errorf("%s: exit status %d, said %q", name, code, said)
			return ""
		}
		rows := strings.Split(strings.TrimSuffix(out, "\n"), "\n")[1:]
		for i, row := range rows {
			stamp := clock(at(i))
			if strings.Contains(stamp, ",") {
				stamp = `"` + stamp + `"`
			}
			verdict, ok := strings.CutPrefix(row, stamp+",")
			if !ok {
				t.Errorf("%s: row %d is %q, its time was %s", name, i, row, stamp)
			}
			rows[i] = verdict
		}
		return strings.Join(rows, "\n")
	}
	layout := func(l string) func(time.Time) string { return func(t time.Time) string { return t.Format(l) } }
	want := written("plain", "timestamp,value", ",", ".", layout(time.DateTime))
	if !strings.Contains(want, ",1\n") {
		t.Fatalf("nothing is flagged:\n%s", want)
	}
	for name, c := range map[string]struct {
		head, separator, point string
		clock                  func(time.Time) string
	}{
		"the time in the second column": {"value,Time", ",", ".", layout(time.DateTime)},
		"Chinese":                       {"日期;数值", ";", ".", layout("2006年1月2日 15:04")},
		"decimal commas":                {"datetime;value", ";", ",", layout("2006/1/2 15:04")},
		"commas within times":           {"t;value", ";", ",", layout("2006-01-02 15:04:05,000")},
		"a zone":                        {"timestamp,value", ",", ".", layout("2006-01-02T15:04:05.000Z0700")},
		"seconds":                       {"ts,value", ",", ".", func(t time.Time) string { return fmt.Sprint(t.Unix()) }},
		"parts of seconds":              {"ts,value", ",", ".", func(t time.Time) string { return fmt.Sprintf("%d.250", t.Unix()) }},
		"milliseconds":                  {"ts\tvalue", "\t", ".", func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) }},
		"nanoseconds":                   {"ts\tvalue", "\t", ",", func(t time.Time) string { return fmt.Sprint(t.UnixNano()) }},
	} {
		if got := written(name, c.head, c.separator, c.point, c.clock); got != want {
			t.Errorf("%s: another verdict", name)
		}
	}
}

// TestDetectKeepsWhatItReads refuses to write over the table, and says before it begins
// what cannot be written.
func TestDetectKeepsWhatItReads(t *testing.T) {
	dir := t.TempDir()
	in, link := filepath.Join(dir, "in.csv"), filepath.Join(dir, "link.csv")
	table := hourly(10, func(int) string { return "1" })
	if err := os.WriteFile(in, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(in, link); err != nil {
		t.Fatal(err)
	}
	for out, want := range map[string]string{
		in:                                "in.csv is what is read; name another file to write",
		link:                              "link.csv is what is read",
		dir:                               "is no file",
		filepath.Join(dir, "no", "o.csv"): "make the folder first",
	} {
		var text strings.Builder
		code := Main(t.Context(), "test", []string{"detect", "--kind", "series", in, out}, nil, &text, &text)
		if code == 0 || !strings.Contains(text.String(), want) {
			t.Errorf("to %s: exit status %d, said %q, want %q", out, code, text.String(), want)
		}
		if data, err := os.ReadFile(in); err != nil || string(data) != table {
			t.Errorf("to %s: the table is now %q, %v", out, data, err)
		}
	}
}

func TestDetectTellsOfRowsThatAreNotLater(t *testing.T) {
	written, said, code := detected(t, "series", "timestamp,value\n2026-03-02 01:00:00,1\n2026-03-02 01:00:00,2\n2026-03-02 00:00:00,3\n2026-03-02 02:00:00,4\n")
	if code != 0 || strings.Count(written, "\n") != 5 || !strings.Contains(said, "have the flag of the row before: 2, the first in line 3") {
		t.Errorf("exit status %d, said %q, wrote\n%s", code, said, written)
	}
}

func TestDetectSaysWhereATableIsWrong(t *testing.T) {
	const head = "timestamp,value\n2026-03-02 00:00:00,1\n"
	for name, c := range map[string]struct{ kind, table, want string }{
		"empty":           {"series", "", "in.csv: line 1: the table is empty"},
		"no header":       {"series", "2026-03-02 00:00:00,1\n", "in.csv: line 1: the table has no header"},
		"no value":        {"series", "timestamp\n", "in.csv: line 1: there is no column of values"},
		"two values":      {"series", "timestamp,a,b\n", "in.csv: line 1: a detector of the kind series takes one value, not 2"},
		"no time":         {"series", head + "yesterday,2\n", `in.csv: line 3, column 1: "yesterday" is not a time`},
		"no number":       {"series", head + "2026-03-02 01:00:00,much\n", `in.csv: line 3, column 21: "much" is not a number`},
		"a cell too few":  {"series", head + "2026-03-02 01:00:00\n", "in.csv: line 3: the row has 1 cells, the header 2"},
		"a quote is open": {"series", head + "2026-03-02 01:00:00,\"1\n", `line 3, column 24`},
		"a text":          {"device", "timestamp,id,a\n2026-03-02 00:00:00,m1,1\n", `line 2, column 21: "m1" is not a number in the column "id"; leave`},
		"a small number":  {"series", "n,value\n0,1\n", `in.csv: line 2, column 1: "0" is not a time`},
		"two bytes each":  {"series", "\xff\xfet\x00,\x00v\x00\n\x00", "in.csv: line 1: the table is not text in UTF-8"},
		"no such kind":    {"gas", head, "--kind"},
	} {
		written, said, code := detected(t, c.kind, c.table)
		if code == 0 || written != "" || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit status %d, wrote %q, said %q, want %q", name, code, written, said, c.want)
		}
	}
}

func TestDetectLearnsFromAnotherTableFirst(t *testing.T) {
	value := func(i int) string { return fmt.Sprintf("%.3f", 50+20*math.Sin(float64(i)/4)+float64(i*i%7)) }
	dir := t.TempDir()
	past := filepath.Join(dir, "past.csv")
	if err := os.WriteFile(past, []byte(hourly(1000, value)), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := hourly(1200, func(i int) string {
		if i == 1100 {
			return "400"
		}
		return value(i)
	})
	rest := "timestamp,value\n" + strings.Join(strings.SplitAfter(whole, "\n")[1001:], "")
	want, _, _ := detected(t, "series", whole)
	got, said, code := detected(t, "series", rest, "--learn", past)
	if code != 0 || !strings.HasSuffix(want, strings.TrimPrefix(got, "timestamp,anomaly_score,flag\n")) || !strings.Contains(got, ",1\n") {
		t.Errorf("exit status %d, said %q, wrote\n%s", code, said, got)
	}
	if _, said, code := detected(t, "series", "timestamp,other\n", "--learn", past); code == 0 || !strings.Contains(said, "the columns are other") {
		t.Errorf("other columns: exit status %d, said %q", code, said)
	}
}

func TestDetectThatIsStoppedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(in, []byte(hourly(10, func(int) string { return "1" })), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var text strings.Builder
	if code := Main(ctx, "test", []string{"detect", "--kind", "series", in, out}, nil, &text, &text); code != interrupted {
		t.Errorf("exit status %d, said %q", code, text.String())
	}
	if data, err := os.ReadFile(out); err != nil || string(data) != "as it was" {
		t.Errorf("the file that was there is %q, %v", data, err)
	}
}

// FuzzCSV looks for tables that break the reader instead of being refused, and for
// rows that are lost.
func FuzzCSV(f *testing.F) {
	f.Add("timestamp,value\n2026-03-02 00:00:00,1\n2026-03-02T01:00:00Z,\n")
	f.Add("datetime;a;b\n02/03/26 00;1;NaN\n02/03/26 01;1e400;2\n")
	f.Add("\ufeff\"t\"\tx\n\"2026-03-02 00:00\"\t-0x1p-3\n")
	f.Add("a,b\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := newTable("in.csv", strings.NewReader(text))
		if err != nil {
			return
		}
		d, err := detectorFor("device", table)
		if err != nil {
			return
		}
		var out strings.Builder
		err = judge(&console{ctx: t.Context()}, d, table, &out)
		if err == nil && strings.Count(out.String(), "\n") < 1 {
			t.Errorf("nothing was written of %q", text)
		}
	})
}
