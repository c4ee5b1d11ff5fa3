package ledger

import (
	"context"
	"fmt"

	"gengfu/facility"
)

const ruleColumns = `rule, version, at, author, reason, source`

func scanRule(row row) (facility.RuleVersion, error) {
	var v facility.RuleVersion
	err := row.Scan(&v.Rule, &v.Version, asTime{&v.At}, &v.Author, &v.Reason, asText{&v.Source})
	return v, err
}

// AddRuleVersion keeps a saving of a rule. Its version must be the one behind the last;
// else somebody saved it in the meantime, and it fails with facility.ErrConflict.
func (t *Tx) AddRuleVersion(v facility.RuleVersion) error {
	n, err := t.exec(`
		INSERT INTO rule_version (site, rule, version, at, author, reason, source)
		SELECT $1, $2, $3, $4, $5, $6, $7
		WHERE $3 = (SELECT COALESCE(MAX(version), 0) + 1 FROM rule_version WHERE site = $1 AND rule = $2)`,
		[]any{t.site, v.Rule, v.Version, nanos(v.At), v.Author, v.Reason, nullable(v.Source)}, "version %d of rule %s", v.Version, v.Rule)
	if err == nil && n == 0 {
		err = fmt.Errorf("version %d of rule %s: %w", v.Version, v.Rule, facility.ErrConflict)
	}
	return err
}

// RuleVersions returns all savings of a rule, the newest first.
func (l *Ledger) RuleVersions(ctx context.Context, rule string) ([]facility.RuleVersion, error) {
	r := l.read()
	versions, err := collect(ctx, r, scanRule, `
		SELECT `+ruleColumns+` FROM rule_version WHERE site = $1 AND rule = $2 ORDER BY version DESC`, r.site, rule)
	return versions, failure(err, "versions of rule %s", rule)
}

// LastRuleVersions returns the last saving of each rule that was ever saved, also those
// that took back what was made, by rule.
func (l *Ledger) LastRuleVersions(ctx context.Context) ([]facility.RuleVersion, error) {
	r := l.read()
	versions, err := collect(ctx, r, scanRule, `
		SELECT `+ruleColumns+` FROM rule_version v WHERE site = $1
			AND version = (SELECT MAX(version) FROM rule_version WHERE site = v.site AND rule = v.rule)
		ORDER BY rule`, r.site)
	return versions, failure(err, "read the rules that were made in the dashboard")
}

// StandingByRule returns how many alarms of each rule are not normal.
func (l *Ledger) StandingByRule(ctx context.Context) (map[string]int, error) {
	type count struct {
		rule string
		n    int
	}
	r := l.read()
	counts, err := collect(ctx, r, func(row row) (c count, err error) {
		err = row.Scan(&c.rule, &c.n)
		return c, err
	}, `SELECT rule, count(*) FROM alarm WHERE site = $1 AND `+standing+` GROUP BY rule`, r.site)
	out := map[string]int{}
	for _, c := range counts {
		out[c.rule] = c.n
	}
	return out, failure(err, "count what stands of each rule")
}
