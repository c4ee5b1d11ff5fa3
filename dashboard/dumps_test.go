package dashboard

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

// plainDump is a reader of dumps for these tests: a line is an id, seconds before
// noon and a login, or what is wrong.
func plainDump(dump []byte, o facility.DumpOptions, people []facility.Person, now time.Time) ([]facility.DumpLine, error) {
	if len(people) == 0 || !now.Equal(noon) {
		return nil, facility.ErrInvalid
	}
	if o.Columns == "none" {
		return nil, &facility.DumpError{What: facility.Text{ZH: "没有列。", EN: "No columns."}, Cure: facility.Text{ZH: "请写列名。", EN: "Name them."}}
	}
	var out []facility.DumpLine
	for i, line := range strings.Split(strings.TrimSpace(string(dump)), "\n") {
		l := facility.DumpLine{Number: i + 1}
		id, ago, ok := strings.Cut(line, " ")
		before, err := time.ParseDuration(ago)
		if !ok || err != nil {
			l.What, l.Cure = facility.Text{ZH: "不对", EN: "Wrong."}, facility.Text{ZH: "改正", EN: "Mend it."}
		} else {
			l.Tap = facility.Tap{ID: id, Source: facility.TapWand, Reader: o.Wand, Checkpoint: "gate", Person: o.Guard, TappedAt: noon.Add(-before)}
		}
		out = append(out, l)
	}
	return out, nil
}

func withDumps(o *Options) { o.ReadDump = plainDump }

// bring sends a dump and returns the answer.
func (b *browser) bring(dump string, fields ...string) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		if err := form.WriteField(fields[i], fields[i+1]); err != nil {
			b.t.Fatal(err)
		}
	}
	if dump != "" {
		part, err := form.CreateFormFile("dump", "dump.csv")
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := part.Write([]byte(dump)); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		b.t.Fatal(err)
	}
	return b.send("POST", "/api/taps/import", &body, map[string]string{"Content-Type": form.FormDataContentType(), "X-Gengfu": "1"})
}

// dump decodes the answer to a dump that was taken.
func (a answer) dump(t *testing.T) (got dumpShape) {
	t.Helper()
	if err := json.Unmarshal(a.body, &got); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", a.StatusCode, err, a.body)
	}
	return got
}

const threeTaps = "tap-b 1m\nnonsense\ntap-a 2h\ntap-a 2h\n"

func TestImportTaps(t *testing.T) {
	h := startHouse(t, withDumps)
	desk := h.as("desk")
	steps := []struct {
		name              string
		dump, dry         string
		fresh, known, bad int
		taps              int // that the hub has after it
	}{
		{"a dry run takes nothing", threeTaps, "true", 2, 1, 1, 0},
		{"then it is taken", threeTaps, "", 2, 1, 1, 2},
		{"again it changes nothing", threeTaps, "false", 0, 3, 1, 2},
		{"of an overlapping one only what is new", "tap-a 2h\ntap-c 30s\n", "", 1, 1, 0, 3},
		{"a dry run after it knows them", threeTaps, "true", 0, 3, 1, 3},
	}
	for _, s := range steps {
		a := desk.bring(s.dump, "wand", "W7", "guard", "guard", "dry_run", s.dry)
		got := a.dump(t)
		if got.New != s.fresh || got.Known != s.known || got.Wrong != s.bad || got.DryRun != (s.dry == "true") || len(h.taps) != s.taps {
			t.Fatalf("%s: %s, and the hub has %d", s.name, a.body, len(h.taps))
		}
	}
	if first := h.taps[0]; first.ID != "tap-a" || first.Person != "guard" || first.Reader != "W7" || !first.ReceivedAt.Equal(noon) || !first.SentAt.Equal(noon) {
		t.Errorf("the earliest is handed over first, as it was made: %+v", first)
	}
	got := desk.bring(threeTaps, "wand", "W7", "dry_run", "1").dump(t)
	if l := got.Lines; len(l) != 4 || l[1].State != facility.DumpWrong || l[1].What.EN != "Wrong." || l[1].Cure.ZH != "改正" ||
		l[0].State != facility.DumpKnown || l[0].Tap.CheckpointName.EN != "East gate" {
		t.Errorf("the lines are %+v", l)
	}
	var imports []string
	for _, e := range h.audit {
		if e.Action == "taps.import" {
			imports = append(imports, e.Actor+" "+e.Target+" "+e.Detail)
		}
	}
	if got := strings.Join(imports, "; "); got != "desk W7 2 of 4 lines; desk W7 1 of 2 lines" {
		t.Errorf("the audit says %q", got)
	}
}

func TestDumpsThatAreRefused(t *testing.T) {
	h := startHouse(t, withDumps)
	desk := h.as("desk")
	checkError(t, desk.bring(""), "invalid", "dump")
	checkError(t, desk.bring(threeTaps, "dry_run", "perhaps"), "invalid", "dry_run")
	a := desk.bring(threeTaps, "columns", "none")
	checkError(t, a, "invalid", "dump")
	if !strings.Contains(string(a.body), "No columns. Name them.") || !strings.Contains(string(a.body), "没有列。请写列名。") {
		t.Errorf("it says %s", a.body)
	}
	checkError(t, desk.bring(strings.Repeat("x", maxDump+1)), "too_large", "")
	h.server.options.Desk = &refusingDesk{Desk: h.fake}
	checkError(t, desk.bring(threeTaps), "unavailable", "")
	h.server.options.ReadDump = nil
	checkError(t, desk.bring(threeTaps), "unavailable", "")
}

// Of a long dump the lines that are wrong are told of first.
func TestALongDump(t *testing.T) {
	h := startHouse(t, withDumps)
	var dump strings.Builder
	for i := range 3000 {
		dump.WriteString(strings.Repeat("x", i%7+1))
		dump.WriteString(time.Duration(i).String())
		dump.WriteString(" 1h\n")
	}
	dump.WriteString("nonsense\n")
	got := h.as("desk").bring(dump.String(), "wand", "W7").dump(t)
	if got.New != 3000 || got.Wrong != 1 || len(got.Lines) != mostListed || got.Lines[mostListed-1].Line != 3001 {
		t.Errorf("%d new, %d wrong, %d lines", got.New, got.Wrong, len(got.Lines))
	}
	if len(h.taps) != 3000 {
		t.Errorf("the hub has %d", len(h.taps))
	}
}
