package command

import (
	"encoding/json"
	"errors"
	"fmt"

	"gengfu/gateway/config"
)

type checkCommand struct {
	Config string `help:"The site file; without it the built-in demo site." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path"`
	JSON   bool   `help:"Print findings as JSON, for editors and programs."`
}

func load(path string) (*config.Config, error) {
	if path == "" {
		return config.BuiltIn("demo")
	}
	return config.Load(path)
}

func (cmd checkCommand) Run(c *console) error {
	cfg, err := load(cmd.Config)
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
		if encErr := enc.Encode(map[string]any{"ok": err == nil, "findings": report}); encErr != nil {
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
	points := 0
	for _, d := range cfg.Estate.Devices {
		points += len(d.Points)
	}
	_, err = fmt.Fprintf(c.out, "ok: site %s (%s): %d lines, %d devices, %d points, %d readers, %d checkpoints, %d patrol plans, %d rules\n",
		cfg.Site.ID, cfg.Site.Name.In("zh"), len(cfg.Lines), len(cfg.Estate.Devices), points,
		len(cfg.Estate.Readers), len(cfg.Estate.Checkpoints), len(cfg.Estate.Plans), len(cfg.Rules))
	return err
}
