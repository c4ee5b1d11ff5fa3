package ledger_test

import (
	"errors"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func newVersion(rule string, n int, source string) facility.RuleVersion {
	return facility.RuleVersion{Rule: rule, Version: n, At: noon.Add(time.Duration(n) * time.Minute), Author: "zhang", Reason: "误报太多", Source: source}
}

func TestVersionsOfRulesAreOnlyEverAdded(t *testing.T) {
	l := staffed(t)
	a1, a2, a3 := newVersion("a", 1, "id: a"), newVersion("a", 2, ""), newVersion("a", 3, "id: a\nlatch: true")
	b1 := newVersion("b", 1, "")
	update(t, l, func(tx *ledger.Tx) error {
		for _, v := range []facility.RuleVersion{a1, b1, a2, a3} {
			if err := tx.AddRuleVersion(v); err != nil {
				return err
			}
		}
		return nil
	})
	all, err := l.RuleVersions(t.Context(), "a")
	if diff := cmp.Diff([]facility.RuleVersion{a3, a2, a1}, all); err != nil || diff != "" {
		t.Error(err, diff)
	}
	last, err := l.LastRuleVersions(t.Context())
	if diff := cmp.Diff([]facility.RuleVersion{a3, b1}, last); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for name, c := range map[string]struct {
		v    facility.RuleVersion
		want error
	}{
		"saved by somebody else":   {newVersion("a", 3, "id: a"), facility.ErrConflict},
		"with a gap":               {newVersion("a", 5, "id: a"), facility.ErrConflict},
		"of a new rule, not first": {newVersion("c", 2, "id: c"), facility.ErrConflict},
		"without a reason":         {facility.RuleVersion{Rule: "c", Version: 1, At: noon, Author: "zhang", Source: "id: c"}, facility.ErrInvalid},
		"of nobody":                {facility.RuleVersion{Rule: "c", Version: 1, At: noon, Reason: "r", Source: "id: c"}, facility.ErrInvalid},
	} {
		err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.AddRuleVersion(c.v) })
		if !errors.Is(err, c.want) {
			t.Errorf("a version %s: %v", name, err)
		}
	}
}

func TestStandingByRule(t *testing.T) {
	l := staffed(t)
	one, two, gone := newAlarm("a1", "k1"), newAlarm("a2", "k2"), newAlarm("a3", "k3")
	at := noon
	gone.State, gone.ClearedAt = facility.AlarmNormal, &at
	if err := save(t, l, one, two, gone); err != nil {
		t.Fatal(err)
	}
	got, err := l.StandingByRule(t.Context())
	if diff := cmp.Diff(map[string]int{one.Rule: 2}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
