package command

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"gengfu/gateway/trial"
	"gengfu/rules/backtest"
)

type rulesBacktest struct {
	siteFlags
	Rule  string        `arg:"" help:"The id of a rule of the site, or a file of rules (.yaml) that need not be in use yet."`
	From  string        `help:"First time or day, of the site's zone; without it a month ago." placeholder:"TIME"`
	To    string        `help:"End; without it now." placeholder:"TIME"`
	Learn time.Duration `help:"How much of the time before fills windows and what is learned; its alarms do not count." default:"744h"`
	JSON  bool          `help:"Print it as JSON."`
	Quiet bool          `short:"q" help:"No progress."`
}

func (cmd rulesBacktest) Run(c *console) (err error) {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	chosen, err := ruleOf(cfg, cmd.Rule)
	if err != nil {
		return err
	}
	zone := cfg.Estate.Site.Zone
	to, err := instant(cmd.To, zone, time.Now().UTC())
	if err != nil {
		return err
	}
	from, err := instant(cmd.From, zone, to.AddDate(0, -1, 0))
	if err != nil {
		return err
	}
	if !from.Before(to) || cmd.Learn < 0 {
		return fmt.Errorf("backtest: nothing lies between %s and %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	s, err := cmd.open(c.ctx, cfg)
	if err != nil {
		return fmt.Errorf("backtest: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	say := newProgress(c, cmd.Quiet)
	result, err := trial.Run(c.ctx, s, trial.Ask{
		Rules: chosen, Estate: cfg.Estate, Options: cfg.RuleOptions(), From: from, To: to, Learn: cmd.Learn,
		Progress: func(upTo time.Time, done float64, alarms int) {
			say.at("%s, %d alarms, %.0f %%", upTo.Format(time.RFC3339), alarms, 100*done)
		},
	})
	if err != nil {
		return fmt.Errorf("backtest: %w", err)
	}
	if cmd.JSON {
		return printJSON(c, result)
	}
	return writeLines(c, resultLines(result, zone))
}

func resultLines(r backtest.Result, zone *time.Location) []string {
	at := func(t time.Time) string { return t.In(zone).Format(time.DateTime) }
	var out []string
	for _, o := range r.Occurrences {
		end := "still stands"
		if o.To != nil {
			end = "for " + o.To.Sub(o.From).Round(time.Second).String()
		}
		line := fmt.Sprintf("%s  %s %s  %s  %s", at(o.From), o.Priority, o.Key, end, o.Title.In("en"))
		if o.Unit != "" {
			line += fmt.Sprintf("  %s %s", strconv.FormatFloat(o.Value, 'g', 6, 64), o.Unit)
		}
		if o.Order != backtest.OrderNone {
			line += "  order: " + o.Order
		}
		out = append(out, line)
	}
	if more := r.Alarms - len(r.Occurrences); more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	if len(r.Unheard) > 0 {
		out = append(out, fmt.Sprintf("never judged, as the history has nothing of them: %v", r.Unheard))
	}
	if len(r.Unknown) > 0 {
		out = append(out, fmt.Sprintf("not known at the end: %v", r.Unknown))
	}
	days := r.To.Sub(r.From).Hours() / 24
	return append(out, fmt.Sprintf("%s to %s (%.1f days, %d readings): %d alarms, %d orders, %d orders opened again, %d times that people are told; %d alarms stood at the beginning",
		at(r.From), at(r.To), days, r.Readings, r.Alarms, r.Orders, r.Reopened, r.Notices, r.Standing))
}
