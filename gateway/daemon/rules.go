package daemon

import (
	"context"

	"gengfu/dashboard"
	"gengfu/gateway/config"
	"gengfu/gateway/hub"
	"gengfu/rules"
)

// openBook opens the rules: those of the configuration, and what was made of them in the
// dashboard.
func (d *daemon) openBook(ctx context.Context) (err error) {
	c := d.Config
	texts := c.RuleTexts()
	files := make([]hub.RuleOfFile, len(c.Rules))
	for i, r := range c.Rules {
		text := texts[r.ID]
		files[i] = hub.RuleOfFile{Rule: r, File: text.File, Source: text.Source}
	}
	d.book, err = hub.OpenBook(ctx, hub.BookOptions{
		Estate: c.Estate, Files: files, Options: c.RuleOptions(), Ledger: d.ledger, Logger: d.Logger.With("part", "rules"), Now: d.clock.Best,
		Parse: func(source string) (rules.Rule, []dashboard.RuleProblem) {
			r, report := c.ParseRule(source)
			return r, problemsOf(report)
		},
	})
	return err
}

// problemsOf are findings as pages show them.
func problemsOf(report config.Report) []dashboard.RuleProblem {
	var out []dashboard.RuleProblem
	for _, f := range report {
		out = append(out, dashboard.RuleMistake(f.Path, f.Line, f.Column, f.What, f.Cure))
	}
	return out
}
