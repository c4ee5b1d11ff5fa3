package command

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"gengfu/facility"
	"gengfu/rules/backtest"
	"gengfu/storage/history"
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
	settings := backtest.Settings{Rules: chosen, Estate: cfg.Estate, Options: cfg.RuleOptions(), From: from}
	result, err := cmd.run(c, s, settings, to)
	if err != nil {
		return fmt.Errorf("backtest: %w", err)
	}
	if cmd.JSON {
		return printJSON(c, result)
	}
	return writeLines(c, resultLines(result, zone))
}

func (cmd rulesBacktest) run(c *console, s history.Store, settings backtest.Settings, to time.Time) (backtest.Result, error) {
	settings.Begin = settings.From.Add(-cmd.Learn)
	devices := devicesOf(settings)
	if len(devices) == 0 {
		return backtest.Result{}, errors.New("the rule selects no device of the site")
	}
	// What was before the first reading is no silence.
	first, _, err := span(c.ctx, s, devices, settings.Begin, to)
	if err != nil {
		return backtest.Result{}, err
	}
	settings.Begin = first
	if !first.Before(to) {
		return backtest.Result{}, fmt.Errorf("the history has nothing of %d devices before %s", len(devices), to.Format(time.RFC3339))
	}
	run, problems := backtest.New(settings)
	if problems != nil {
		return backtest.Result{}, problems[0]
	}
	say := newProgress(c, cmd.Quiet)
	var readings []facility.Reading
	err = history.Scan(c.ctx, s, devices, first, to, func(rows []history.Row, upTo time.Time) error {
		readings = readings[:0]
		for _, r := range rows {
			readings = append(readings, r.Reading)
		}
		run.Take(readings)
		say.at("%s, %d alarms, %.0f %%", upTo.Format(time.RFC3339), run.Alarms(), share(first, to, upTo))
		return nil
	})
	if err != nil {
		return backtest.Result{}, err
	}
	return run.End(to), nil
}

// devicesOf returns the devices that the rules hang on.
func devicesOf(s backtest.Settings) []string {
	run, problems := backtest.New(s)
	if problems != nil {
		return nil
	}
	return run.Devices()
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
	return append(out, fmt.Sprintf("%s to %s (%.1f days, %d readings): %d alarms, %d orders, %d orders opened again; %d alarms stood at the beginning",
		at(r.From), at(r.To), days, r.Readings, r.Alarms, r.Orders, r.Reopened, r.Standing))
}
