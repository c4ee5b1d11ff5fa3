package command

import (
	"encoding/json"
	"errors"
	"fmt"

	"gengfu/devices"
	"gengfu/gateway/config"
)

type checkCommand struct {
	Config string `help:"The site file; without it the built-in demo site." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path"`
	JSON   bool   `help:"Print findings as JSON, for editors and programs."`
	Force  bool   `help:"Take lines for right that are planned above 90 %% of their time."`
}

func load(path string, opts ...config.Option) (*config.Config, error) {
	if path == "" {
		return config.BuiltIn("demo")
	}
	return config.Load(path, opts...)
}

func (cmd checkCommand) Run(c *console) error {
	cfg, err := load(cmd.Config, config.Force(cmd.Force))
	var report config.Report
	if err != nil && !errors.As(err, &report) {
		return err
	}
	if cmd.JSON {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		if report == nil {
			report = config.Report{}
		}
		warnings := config.Report{}
		if cfg != nil {
			warnings = append(warnings, cfg.Warnings...)
		}
		said := map[string]any{"ok": err == nil, "findings": report, "warnings": warnings, "lines": loads(cfg)}
		if encErr := enc.Encode(said); encErr != nil {
			return encErr
		}
		if err != nil {
			return errReported
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(c.out, "warning: %v\n", w)
	}
	for _, l := range loads(cfg) {
		if _, err := fmt.Fprintf(c.out, "line %s: %d devices, planned for %.0f %% of its time\n", l.ID, l.Devices, 100*l.Planned); err != nil {
			return err
		}
	}
	points := 0
	for _, d := range cfg.Estate.Devices {
		points += len(d.Points)
	}
	_, err = fmt.Fprintf(c.out, "ok: site %s (%s): %d lines, %d devices, %d points, %d readers, %d checkpoints, %d patrol plans, %d rules\n",
		cfg.Site.ID, cfg.Site.Name.In("zh"), len(cfg.Lines), len(cfg.Estate.Devices), points,
		len(cfg.Estate.Readers), len(cfg.Estate.Checkpoints), len(cfg.Estate.Plans), len(cfg.Rules))
	return err
}

// lineLoad is what the devices of a line ask of it.
type lineLoad struct {
	ID      string  `json:"id"`
	Devices int     `json:"devices"`
	Planned float64 `json:"planned"` // share of its time, 1 for all of it
}

// loads returns the lines whose speed is known.
func loads(cfg *config.Config) []lineLoad {
	out := []lineLoad{}
	if cfg == nil {
		return out
	}
	for _, l := range cfg.Lines {
		load := lineLoad{ID: l.ID, Planned: devices.PlannedLoad(l, cfg.File.Devices, cfg.Profiles)}
		for _, d := range cfg.File.Devices {
			if d.Line == l.ID {
				load.Devices++
			}
		}
		if load.Planned > 0 {
			out = append(out, load)
		}
	}
	return out
}
