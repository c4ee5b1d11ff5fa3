package command

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/rules"
)

type rulesCommand struct {
	Check    rulesCheck    `cmd:"" help:"Show which devices each rule is judged on, and which it cannot judge and why."`
	Test     rulesTest     `cmd:"" help:"Play scenarios to the rules and compare what alarms do with what is expected."`
	Backtest rulesBacktest `cmd:"" help:"Say what alarms and orders a rule would have made of the history. A gateway may be running."`
}

type rulesCheck struct {
	Config string `help:"The site file; without it the built-in demo site." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path"`
	JSON   bool   `help:"Print it as JSON."`
}

// ruleCover is what rules check says of one rule.
type ruleCover struct {
	rules.Coverage
	Name     facility.Text     `json:"name"`
	Priority facility.Priority `json:"priority"`
}

func (cmd rulesCheck) Run(c *console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	said := make([]ruleCover, 0, len(cfg.Rules))
	watched := map[string]bool{}
	for i, cover := range rules.Cover(cfg.Rules, cfg.Estate) {
		said = append(said, ruleCover{cover, cfg.Rules[i].Name, cfg.Rules[i].Priority})
		// A rule for every device says only whether it answers.
		if f := cfg.Rules[i].For; len(f.Kinds)+len(f.Devices)+len(f.Places)+len(f.Having) > 0 {
			for _, d := range cover.Devices {
				watched[d] = true
			}
		}
	}
	unwatched := []string{}
	for _, d := range cfg.Estate.Devices {
		if !watched[d.ID] {
			unwatched = append(unwatched, d.ID)
		}
	}
	if cmd.JSON {
		return printJSON(c, map[string]any{"rules": said, "unwatched": unwatched})
	}
	return writeLines(c, coverLines(said, unwatched))
}

func coverLines(said []ruleCover, unwatched []string) []string {
	var out []string
	pairs, resting := 0, 0
	for _, r := range said {
		pairs += len(r.Devices)
		on := "rests: no device here has what it needs"
		if len(r.Devices) > 0 {
			on = fmt.Sprintf("%d: %s", len(r.Devices), strings.Join(r.Devices, ", "))
		} else {
			resting++
		}
		out = append(out, fmt.Sprintf("%s %s (%s)\n    %s", r.Priority, r.Rule, r.Name.In("en"), on))
		if len(r.Off) > 0 {
			out = append(out, "    off by an override: "+strings.Join(r.Off, ", "))
		}
		if len(r.Alone) > 0 {
			out = append(out, "    at rest, as there is none of the other devices that it asks: "+strings.Join(r.Alone, ", "))
		}
		for _, l := range lackLines(r.Lacking) {
			out = append(out, "    not on "+l)
		}
	}
	if len(unwatched) > 0 {
		out = append(out, "no rule of their own: "+strings.Join(unwatched, ", "))
	}
	return append(out, fmt.Sprintf("%d rules, %d of them at rest; %d judged pairs of a rule and a device", len(said), resting, pairs))
}

// lackLines puts devices that lack the same together.
func lackLines(lacking []rules.Lack) []string {
	var order []string
	devices := map[string][]string{}
	for _, l := range lacking {
		what := strings.Join(l.Quantities, ", ")
		if devices[what] == nil {
			order = append(order, what)
		}
		devices[what] = append(devices[what], l.Device)
	}
	for i, what := range order {
		verb := "has"
		if len(devices[what]) > 1 {
			verb = "have"
		}
		order[i] = fmt.Sprintf("%s, which %s no %s", strings.Join(devices[what], ", "), verb, what)
	}
	return order
}

type rulesTest struct {
	Config string   `help:"The site whose rules and devices are tested; without it the built-in demo site." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path"`
	JSON   bool     `help:"Print it as JSON."`
	Files  []string `arg:"" help:"Files of scenarios (YAML); configs/rules/README.md says how they are written." type:"existingfile"`
}

// played is what rules test says of one scenario.
type played struct {
	File     string        `json:"file"`
	Name     string        `json:"name"`
	OK       bool          `json:"ok"`
	Readings int           `json:"readings"`
	Changes  int           `json:"changes"`
	Seconds  float64       `json:"seconds"` // for all of its file
	Findings config.Report `json:"findings"`
}

func (cmd rulesTest) Run(c *console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	world := cfg.World()
	all := []played{}
	var report config.Report
	for _, path := range cmd.Files {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		file, err := config.LoadScenarios(path)
		if err != nil {
			return err
		}
		begun := time.Now()
		outcomes := file.Run(world)
		took := time.Since(begun).Seconds()
		for _, o := range outcomes {
			found := append(config.Report{}, file.Find(o.Failures)...)
			all = append(all, played{path, o.Name, len(found) == 0, o.Readings, len(o.Changes), took, found})
			report = append(report, found...)
		}
	}
	if cmd.JSON {
		err = printJSON(c, map[string]any{"ok": len(report) == 0, "scenarios": all})
	} else {
		err = writeLines(c, playedLines(all))
	}
	if err == nil && len(report) > 0 {
		return errTold
	}
	return err
}

func playedLines(all []played) []string {
	var out []string
	bad := 0
	for _, p := range all {
		word := "ok  "
		if !p.OK {
			word = "FAIL"
			bad++
		}
		out = append(out, fmt.Sprintf("%s %s: %s (%d readings, %d changes)", word, p.File, p.Name, p.Readings, p.Changes))
		for _, f := range p.Findings {
			out = append(out, f.String())
		}
	}
	return append(out, fmt.Sprintf("%d scenarios, %d failed", len(all), bad))
}

// ruleOf finds a rule of the site by its id, or reads all of a file.
func ruleOf(cfg *config.Config, name string) ([]rules.Rule, error) {
	if strings.HasSuffix(name, ".yaml") {
		return config.LoadRules(name, cfg)
	}
	i := slices.IndexFunc(cfg.Rules, func(r rules.Rule) bool { return r.ID == name })
	if i >= 0 {
		return cfg.Rules[i : i+1], nil
	}
	var ids []string
	for _, r := range cfg.Rules {
		ids = append(ids, r.ID)
	}
	if near := facility.Nearest(name, ids); near != "" {
		return nil, fmt.Errorf("the site has no rule %q; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("the site has no rule %q; \"gengfu rules check\" lists them. For rules that it does not have yet, give their file", name)
}

func printJSON(c *console, v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func writeLines(c *console, lines []string) error {
	_, err := fmt.Fprintln(c.out, strings.Join(lines, "\n"))
	return err
}
