package dashboard

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
)

// fakeBook has one rule. It is told what a backtest is to do.
type fakeBook struct {
	mu     sync.Mutex
	saved  RuleSaving
	by     string
	asked  BacktestAsk
	trying func(ctx context.Context, progress func(float64)) (any, error)
}

var _ RuleBook = (*fakeBook)(nil)

func (f *fakeBook) shape() RuleShape {
	return RuleShape{ID: "pump-fault", Name: facility.Text{ZH: "故障"}, Origin: RuleOverridden, Devices: []string{"pump-1"}, Version: 2, Author: "manager"}
}

func (f *fakeBook) Rules(context.Context) ([]RuleShape, error) { return []RuleShape{f.shape()}, nil }

func (f *fakeBook) Rule(_ context.Context, id string) (RuleDetailShape, error) {
	if id != "pump-fault" {
		return RuleDetailShape{}, facility.ErrNotFound
	}
	return RuleDetailShape{Rule: f.shape(), Versions: []RuleVersionShape{{Version: 2, Author: "admin"}, {Version: 1, Author: "gone"}}}, nil
}

func (f *fakeBook) CheckRule(_ context.Context, source string) (RuleCheckShape, error) {
	return RuleCheckShape{Problems: []RuleProblem{RuleMistake("", 3, 5, source, "")}, Devices: []string{}}, nil
}

func (f *fakeBook) SaveRule(ctx context.Context, by facility.Person, ask RuleSaving) (RuleDetailShape, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved, f.by = ask, by.Login
	switch {
	case ask.Source == "wrong":
		return RuleDetailShape{}, &RuleMistakesError{Problems: []RuleProblem{RuleMistake("when", 2, 7, "No.", "Yes.")}}
	case ask.Version != 2:
		return RuleDetailShape{}, facility.ErrConflict
	}
	return f.Rule(ctx, ask.ID)
}

func (f *fakeBook) Backtest(ctx context.Context, ask BacktestAsk, progress func(float64)) (any, error) {
	f.mu.Lock()
	f.asked = ask
	f.mu.Unlock()
	return f.trying(ctx, progress)
}

func withBook(t *testing.T) (*house, *fakeBook) {
	t.Helper()
	book := &fakeBook{}
	return startHouse(t, func(o *Options) { o.Rules = book }), book
}

func TestRulesAreShownWithTheNamesOfTheirAuthors(t *testing.T) {
	h, _ := withBook(t)
	var list struct {
		Rules   []RuleShape
		MayEdit bool `json:"may_edit"`
	}
	for login, may := range map[string]bool{"manager": true, "technician": false} {
		h.as(login).want(http.StatusOK, "GET", "/api/rules", nil, &list)
		if list.MayEdit != may || len(list.Rules) != 1 || list.Rules[0].AuthorName != "name of manager" {
			t.Errorf("as %s: %+v", login, list)
		}
	}
	var one struct {
		Rule     map[string]any
		Versions []RuleVersionShape
	}
	h.as("viewer").want(http.StatusOK, "GET", "/api/rules/pump-fault", nil, &one)
	if one.Rule["author_name"] != "name of manager" || len(one.Versions) != 2 || one.Versions[0].AuthorName != "name of admin" || one.Versions[1].AuthorName != "" {
		t.Errorf("%+v", one)
	}
	h.as("viewer").wantError("not_found", "", "GET", "/api/rules/other", nil)
}

func TestARuleIsChecked(t *testing.T) {
	h, _ := withBook(t)
	var check RuleCheckShape
	h.as("technician").want(http.StatusOK, "POST", "/api/rules/check", map[string]string{"source": "The condition is empty."}, &check)
	want := RuleCheckShape{Problems: []RuleProblem{RuleMistake("", 3, 5, "The condition is empty.", "")}, Devices: []string{}}
	if diff := cmp.Diff(want, check); diff != "" {
		t.Error(diff)
	}
	h.as("technician").wantError("too_large", "source", "POST", "/api/rules/check", map[string]string{"source": strings.Repeat("a", maxRuleSource+1)})
}

func TestAMistakeIsToldOfItsPlaceOnce(t *testing.T) {
	for what, want := range map[string]string{
		"At column 3 of `levle > 1`: \"levle\" is no counter.":         "\"levle\" is no counter.",
		"At line 2, column 1 of `levle > 1`: \"levle\" is no counter.": "At line 2, column 1 of `levle > 1`: \"levle\" is no counter.",
		"The condition is empty.":                                      "The condition is empty.",
	} {
		if got := RuleMistake("when", 8, 9, what, "").What; got.EN != want || got.ZH == got.EN {
			t.Errorf("%q: %+v", what, got)
		}
	}
	if got := RuleMistake("when", 0, 0, "At column 3 of `x`: \"x\" is no counter.", "").What.EN; !strings.HasPrefix(got, "At column 3") {
		t.Errorf("a place that is not known otherwise is gone: %q", got)
	}
}

func TestARuleIsSaved(t *testing.T) {
	h, book := withBook(t)
	b := h.as("manager")
	body := map[string]any{"source": "id: pump-fault", "reason": " 误报太多 ", "version": 2}
	var one RuleDetailShape
	b.want(http.StatusOK, "PUT", "/api/rules/pump-fault", body, &one)
	want := RuleSaving{ID: "pump-fault", Source: "id: pump-fault", Reason: "误报太多", Version: 2}
	if book.saved != want || book.by != "manager" || one.Rule.ID != "pump-fault" {
		t.Errorf("%+v by %s: %+v", book.saved, book.by, one)
	}
	b.want(http.StatusOK, "PUT", "/api/rules/pump-fault", map[string]any{"source": " \n", "reason": "r", "version": 2}, nil)
	if book.saved.Source != "" {
		t.Errorf("blanks are the source %q", book.saved.Source)
	}
	b.wantError("invalid", "reason", "PUT", "/api/rules/pump-fault", map[string]any{"source": "id: pump-fault", "reason": " ", "version": 2})
	b.wantError("conflict", "", "PUT", "/api/rules/pump-fault", map[string]any{"source": "id: pump-fault", "reason": "r", "version": 1})
	b.wantError("too_large", "source", "PUT", "/api/rules/pump-fault", map[string]any{"source": strings.Repeat("a", maxRuleSource+1), "reason": "r"})
	wrong := map[string]any{"source": "wrong", "reason": "r", "version": 2}
	b.wantError("invalid", "source", "PUT", "/api/rules/pump-fault", wrong)
	var told struct{ Error errorBody }
	b.want(http.StatusBadRequest, "PUT", "/api/rules/pump-fault", wrong, &told)
	if diff := cmp.Diff([]RuleProblem{RuleMistake("when", 2, 7, "No.", "Yes.")}, told.Error.Problems); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutARuleBookThereIsNone(t *testing.T) {
	h := startHouse(t)
	b := h.as("manager")
	for _, r := range []struct{ method, path string }{
		{"GET", "/api/rules"},
		{"GET", "/api/rules/a"},
		{"PUT", "/api/rules/a"},
		{"POST", "/api/rules/check"},
		{"POST", "/api/rules/backtest"},
	} {
		b.wantError("not_found", "", r.method, r.path, map[string]string{})
	}
}

// month is a backtest that may be asked for.
func month(more map[string]any) map[string]any {
	out := map[string]any{"rule": "pump-fault", "from": noon.AddDate(0, -1, 0), "to": noon}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// lines are those of a backtest's answer but the progress.
func lines(t *testing.T, body []byte) []map[string]json.RawMessage {
	t.Helper()
	var out []map[string]json.RawMessage
	for s := bufio.NewScanner(bytes.NewReader(body)); s.Scan(); {
		var line map[string]json.RawMessage
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatalf("%v in %s", err, s.Bytes())
		}
		if line["progress"] == nil {
			out = append(out, line)
		}
	}
	return out
}

func TestABacktestEndsWithItsResult(t *testing.T) {
	h, book := withBook(t)
	book.trying = func(_ context.Context, progress func(float64)) (any, error) {
		progress(0.5)
		return map[string]int{"alarms": 3}, nil
	}
	a := h.as("viewer").call("POST", "/api/rules/backtest", month(nil))
	got := lines(t, a.body)
	if a.StatusCode != http.StatusOK || len(got) != 1 || string(got[0]["result"]) != `{"alarms":3}` {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if want := (BacktestAsk{Rule: "pump-fault", From: noon.AddDate(0, -1, 0), To: noon}); book.asked != want {
		t.Errorf("asked for %+v", book.asked)
	}
}

func TestABacktestEndsWithItsError(t *testing.T) {
	h, book := withBook(t)
	for code, fails := range map[string]func(context.Context, func(float64)) (any, error){
		"not_found": func(context.Context, func(float64)) (any, error) { return nil, facility.ErrNotFound },
		"invalid": func(context.Context, func(float64)) (any, error) {
			return nil, &RuleMistakesError{Problems: []RuleProblem{RuleMistake("", 0, 0, "No.", "")}}
		},
		"internal": func(context.Context, func(float64)) (any, error) { panic("the secret of the pump house") },
	} {
		book.trying = fails
		a := h.as("viewer").call("POST", "/api/rules/backtest", month(map[string]any{"rule": "", "source": "id: a"}))
		got := lines(t, a.body)
		var told errorBody
		if len(got) != 1 {
			t.Fatalf("%s", a.body)
		}
		if err := json.Unmarshal(got[0]["error"], &told); err != nil || told.Code != code || told.Message.ZH == "" ||
			(code == "invalid") != (len(told.Problems) == 1) || strings.Contains(string(a.body), "secret") {
			t.Errorf("want %s: %v %s", code, err, a.body)
		}
	}
}

func TestBacktestsThatCannotBe(t *testing.T) {
	h, _ := withBook(t)
	b := h.as("viewer")
	for name, c := range map[string]struct {
		more  map[string]any
		field string
	}{
		"of nothing":         {map[string]any{"rule": ""}, "rule"},
		"of two":             {map[string]any{"source": "id: a"}, "rule"},
		"that ends before":   {map[string]any{"to": noon.AddDate(-1, 0, 0)}, "from"},
		"of more than years": {map[string]any{"from": noon.AddDate(0, 0, -401)}, "from"},
		"without a time":     {map[string]any{"from": time.Time{}}, "from"},
	} {
		t.Run(name, func(t *testing.T) { b.wantError("invalid", c.field, "POST", "/api/rules/backtest", month(c.more)) })
	}
}

// Two run, of each person one; the others wait and are told their place. Those that nobody
// waits for end, and so do those that run or wait when the server stops.
func TestBacktestsAreFew(t *testing.T) {
	h, book := withBook(t)
	began, ended := make(chan struct{}, 4), make(chan struct{}, 4)
	book.trying = func(ctx context.Context, _ func(float64)) (any, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	}
	body, err := json.Marshal(month(nil))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(login string) (said *bufio.Scanner, leave func()) {
		b := h.as(login)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "POST", h.url+"/api/rules/backtest", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Gengfu", "1")
		r.Header.Set("Content-Type", "application/json")
		resp, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return bufio.NewScanner(resp.Body), func() { cancel(); _ = resp.Body.Close() }
	}
	placed := func(said *bufio.Scanner, want string) {
		t.Helper()
		for said.Scan() && said.Text() != want {
			if !strings.HasPrefix(said.Text(), `{"place"`) {
				t.Fatalf("%s, want %s", said.Text(), want)
			}
		}
		if said.Text() != want {
			t.Fatalf("the answer ends without %s", want)
		}
	}
	_, gone := ask("manager")
	<-began
	again, leave := ask("manager") // as who stops one and begins another at once
	defer leave()
	placed(again, `{"place":1}`)
	a := h.as("manager").call("POST", "/api/rules/backtest", month(nil))
	checkError(t, a, "too_many", "")
	if a.Header.Get("Retry-After") == "" {
		t.Error("nobody knows when to ask again")
	}
	_, leave = ask("viewer") // passes who waits for their own
	defer leave()
	<-began
	late, leave := ask("desk")
	defer leave()
	placed(late, `{"place":2}`)
	gone()
	<-ended // who has gone makes room
	<-began
	placed(late, `{"place":1}`)
	h.stop()
	<-ended
	<-ended
	if len(began) > 0 {
		t.Error("one began as the server stopped")
	}
	for late.Scan() && strings.HasPrefix(late.Text(), `{"place"`) {
	}
	if !strings.Contains(late.Text(), `"unavailable"`) {
		t.Errorf("who waited was told %q", late.Text())
	}
}
