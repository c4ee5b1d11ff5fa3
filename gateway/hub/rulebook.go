package hub

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules"
	"gengfu/storage/ledger"
)

// RuleOfFile is a rule of a file, which nobody changes here.
type RuleOfFile struct {
	Rule   rules.Rule
	File   string
	Source string // the rule as YAML
}

// BookOptions are what OpenBook needs.
type BookOptions struct {
	Estate facility.Estate
	Files  []RuleOfFile // in their order; they fit the estate
	// Parse reads one rule as it is written, and holds it against the estate. With
	// problems the rule is as far as it could be read.
	Parse   func(source string) (rules.Rule, []dashboard.RuleProblem)
	Options []rules.Option // of compiling
	Ledger  *ledger.Ledger
	Logger  *slog.Logger
	Now     func() time.Time // nil is time.Now
}

// Book is the rules that count: those of files, and in place of them or beside them what
// the ledger keeps of those that were made here. It may be used by many goroutines.
type Book struct {
	o       BookOptions
	first   *rules.Engine // of the edition at the start
	edition atomic.Pointer[edition]
	saving  sync.Mutex // held while a rule is saved
}

// edition is the book between two savings. Nobody changes it.
type edition struct {
	last    map[string]facility.RuleVersion // the last saving of each rule that was ever saved
	entries []entry
	rules   []rules.Rule // that count
}

// entry is one rule of an edition.
type entry struct {
	rule    rules.Rule
	file    *RuleOfFile          // nil for none
	last    facility.RuleVersion // without a version it was never saved
	source  string               // that counts; empty when nothing does
	devices []string
	leftOut []dashboard.RuleProblem // why the last saving does not count
}

// OpenBook reads what was made here. What fits the estate no longer, because a device is
// gone, is left out: what the files say counts meanwhile, and everything else goes on.
func OpenBook(ctx context.Context, o BookOptions) (*Book, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	versions, err := o.Ledger.LastRuleVersions(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the rule book: %w", err)
	}
	b := &Book{o: o}
	last := map[string]facility.RuleVersion{}
	for _, v := range versions {
		last[v.Rule] = v
	}
	e := b.edit(last)
	engine, problems := rules.Compile(e.rules, o.Estate, o.Options...)
	if len(problems) > 0 {
		return nil, fmt.Errorf("open the rule book: %w", problems[0])
	}
	for _, x := range e.entries {
		if len(x.leftOut) > 0 {
			o.Logger.Error("A RULE THAT WAS MADE IN THE DASHBOARD IS LEFT OUT: it fits the site no longer",
				"rule", x.rule.ID, "version", x.last.Version, "line", x.leftOut[0].Line, "why", x.leftOut[0].What.EN)
		}
	}
	b.first = engine
	b.edition.Store(e)
	return b, nil
}

// Engine judges by the rules as they were at the start.
func (b *Book) Engine() *rules.Engine { return b.first }

// LeftOut are the rules of its own that fit the estate no longer, by id.
func (b *Book) LeftOut() []string {
	var out []string
	for _, x := range b.edition.Load().entries {
		if len(x.leftOut) > 0 {
			out = append(out, x.rule.ID)
		}
	}
	slices.Sort(out)
	return out
}

// edit makes the edition in which the last savings are these.
func (b *Book) edit(last map[string]facility.RuleVersion) *edition {
	e := &edition{last: last}
	met := map[string]bool{}
	for i := range b.o.Files {
		f := &b.o.Files[i]
		met[f.Rule.ID] = true
		e.add(b.entry(f.Rule.ID, f, last[f.Rule.ID]))
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		if !met[id] {
			e.add(b.entry(id, nil, last[id]))
		}
	}
	counting := map[string][]string{}
	for _, c := range rules.Cover(e.rules, b.o.Estate) {
		counting[c.Rule] = c.Devices
	}
	for i := range e.entries {
		e.entries[i].devices = counting[e.entries[i].rule.ID]
	}
	return e
}

func (e *edition) add(x entry) {
	e.entries = append(e.entries, x)
	if x.source != "" {
		e.rules = append(e.rules, x.rule)
	}
}

// entry decides what counts of a rule: what was saved last, or else what the file says.
func (b *Book) entry(id string, file *RuleOfFile, last facility.RuleVersion) entry {
	x := entry{file: file, last: last}
	if last.Source != "" {
		x.rule, x.leftOut = b.parse(id, last.Source)
		if len(x.leftOut) == 0 {
			x.source = last.Source
			return x
		}
	}
	if file != nil {
		x.rule, x.source = file.Rule, file.Source
	}
	x.rule.ID = id
	if x.rule.Name.Empty() {
		x.rule.Name = facility.Text{ZH: id, EN: id}
	}
	return x
}

// parse reads a rule that must have the id.
func (b *Book) parse(id, source string) (rules.Rule, []dashboard.RuleProblem) {
	r, problems := b.o.Parse(source)
	if r.ID != id && len(problems) == 0 {
		problems = []dashboard.RuleProblem{dashboard.RuleMistake("id", lineOf(source, "id:"), 1,
			fmt.Sprintf("The id %q is not that of this rule, %q.", r.ID, id), fmt.Sprintf("Write id: %s.", id))}
	}
	return r, problems
}

// lineOf returns the number of the line that begins so, from 1; 0 for none.
func lineOf(text, begins string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(line, begins) {
			return n
		}
	}
	return 0
}

// find returns the entry of a rule.
func (e *edition) find(id string) (entry, bool) {
	i := slices.IndexFunc(e.entries, func(x entry) bool { return x.rule.ID == id })
	if i < 0 {
		return entry{}, false
	}
	return e.entries[i], true
}

// shape is the entry as lists show it.
func (x entry) shape(standing map[string]int) dashboard.RuleShape {
	r := x.rule
	s := dashboard.RuleShape{
		ID: r.ID, Name: r.Name, Advice: r.Advice, Priority: r.Priority, Origin: dashboard.RuleOfFile, Condition: r.Condition(),
		Devices: append([]string{}, x.devices...), Version: x.last.Version, Standing: standing[r.ID], LeftOut: x.leftOut,
	}
	if x.file != nil {
		s.File = x.file.File
	}
	switch {
	case x.file == nil:
		s.Origin = dashboard.RuleOwn
	case x.last.Source != "":
		s.Origin = dashboard.RuleOverridden
	}
	if x.last.Version > 0 {
		at := x.last.At.UTC()
		s.Author, s.At = x.last.Author, &at
	}
	return s
}

// Rules returns those that count, and those that are left out.
func (b *Book) Rules(ctx context.Context) ([]dashboard.RuleShape, error) {
	standing, err := b.o.Ledger.StandingByRule(ctx)
	if err != nil {
		return nil, err
	}
	out := []dashboard.RuleShape{}
	for _, x := range b.edition.Load().entries {
		if x.source != "" || len(x.leftOut) > 0 {
			out = append(out, x.shape(standing))
		}
	}
	return out, nil
}

// Rule returns all of one rule, also of one that was taken back.
func (b *Book) Rule(ctx context.Context, id string) (dashboard.RuleDetailShape, error) {
	x, ok := b.edition.Load().find(id)
	if !ok {
		return dashboard.RuleDetailShape{}, fmt.Errorf("rule %q: %w", id, facility.ErrNotFound)
	}
	standing, err := b.o.Ledger.StandingByRule(ctx)
	if err != nil {
		return dashboard.RuleDetailShape{}, err
	}
	versions, err := b.o.Ledger.RuleVersions(ctx, id)
	if err != nil {
		return dashboard.RuleDetailShape{}, err
	}
	out := dashboard.RuleDetailShape{
		Rule: x.shape(standing), Source: x.source, Versions: []dashboard.RuleVersionShape{}, Points: []string{},
	}
	if x.file != nil && x.last.Source != "" {
		out.OfFile = x.file.Source
	}
	for _, v := range versions {
		out.Versions = append(out.Versions, dashboard.RuleVersionShape{
			Version: v.Version, At: v.At.UTC(), Author: v.Author, Reason: v.Reason, Source: v.Source,
		})
	}
	if x.source == "" {
		return out, nil
	}
	out.Points, out.Learns, err = b.points(x.rule)
	return out, err
}

// points are those that a rule without problems hangs on, and whether it asks what is
// usual of one.
func (b *Book) points(r rules.Rule) ([]string, bool, error) {
	engine, problems := rules.Compile([]rules.Rule{r}, b.o.Estate, b.o.Options...)
	if len(problems) > 0 {
		return nil, false, fmt.Errorf("rule %s: %w", r.ID, problems[0])
	}
	out := []string{}
	for _, p := range engine.Points() {
		out = append(out, p.String())
	}
	return out, engine.AsksUsual(), nil
}

// CheckRule says what is wrong with a rule, and what it would be judged on.
func (b *Book) CheckRule(_ context.Context, source string) (dashboard.RuleCheckShape, error) {
	r, problems := b.o.Parse(source)
	out := dashboard.RuleCheckShape{Problems: append([]dashboard.RuleProblem{}, problems...), Devices: []string{}, Points: []string{}}
	if len(problems) > 0 {
		return out, nil
	}
	out.Devices = rules.Cover([]rules.Rule{r}, b.o.Estate)[0].Devices
	var err error
	out.Points, _, err = b.points(r)
	return out, err
}

// save brings the rule to what is asked for. swap has the judge go on with the engine, if
// write, within a transaction, does not fail, and then calls done.
func (b *Book) save(ctx context.Context, by facility.Person, ask dashboard.RuleSaving, swap func(next *rules.Engine, write func(*ledger.Tx) error, done func()) error) error {
	b.saving.Lock()
	defer b.saving.Unlock()
	present := b.edition.Load()
	v, err := b.version(ctx, present, by, ask)
	if err != nil {
		return err
	}
	last := maps.Clone(present.last)
	last[ask.ID] = v
	next := b.edit(last)
	engine, problems := rules.Compile(next.rules, b.o.Estate, b.o.Options...)
	if len(problems) > 0 {
		return problems[0] // each was checked by itself
	}
	return swap(engine, func(tx *ledger.Tx) error {
		if b.edition.Load() != present { // a saving that nobody waited for came between
			return fmt.Errorf("rule %s: %w", ask.ID, facility.ErrConflict)
		}
		if err := tx.AddRuleVersion(v); err != nil {
			return err
		}
		action := "rule.save"
		if v.Source == "" {
			action = "rule.take_back"
		}
		return tx.Audit(facility.AuditEntry{At: v.At, Actor: by.Login, Action: action, Target: v.Rule, Detail: fmt.Sprintf("version %d: %s", v.Version, v.Reason)})
	}, func() { b.edition.Store(next) })
}

// version is the saving that is asked for, if it may be.
func (b *Book) version(_ context.Context, present *edition, by facility.Person, ask dashboard.RuleSaving) (facility.RuleVersion, error) {
	v := facility.RuleVersion{
		Rule: ask.ID, Version: ask.Version + 1, At: b.o.Now().UTC(), Author: by.Login, Reason: strings.TrimSpace(ask.Reason), Source: ask.Source,
	}
	before := present.last[ask.ID]
	switch {
	case !by.Role.May(facility.EditRules):
		return v, fmt.Errorf("%s may not change rules: %w", by.Login, facility.ErrForbidden)
	case v.Reason == "":
		return v, fmt.Errorf("a rule is changed for a reason: %w", facility.ErrInvalid)
	}
	if v.Source != "" {
		if _, problems := b.parse(ask.ID, v.Source); len(problems) > 0 {
			return v, &dashboard.RuleMistakesError{Problems: problems}
		}
	}
	_, known := present.find(ask.ID)
	switch {
	case v.Source == "" && !known:
		return v, facility.ErrNotFound
	case ask.Version != before.Version:
		return v, fmt.Errorf("version %d was read, %d is the last: %w", ask.Version, before.Version, facility.ErrConflict)
	case v.Source == "" && before.Source == "":
		return v, fmt.Errorf("nothing was made here: %w", facility.ErrUnlawful)
	}
	return v, nil
}

// chosen is the rule that is to be tried.
func (b *Book) chosen(ask dashboard.BacktestAsk) (rules.Rule, error) {
	if ask.Source != "" {
		r, problems := b.o.Parse(ask.Source)
		if len(problems) > 0 {
			return r, &dashboard.RuleMistakesError{Problems: problems}
		}
		return r, nil
	}
	x, ok := b.edition.Load().find(ask.Rule)
	if !ok || x.source == "" {
		return rules.Rule{}, fmt.Errorf("rule %q: %w", ask.Rule, facility.ErrNotFound)
	}
	return x.rule, nil
}
