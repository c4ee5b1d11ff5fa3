package command

import (
	"fmt"

	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
)

type runCommand struct {
	Config string `help:"The site file." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path" required:""`
	Force  bool   `help:"Run also lines that are planned above 90 %% of their time."`
	listenFlag
	dataFlag
}

func (cmd runCommand) Run(c *console) error {
	cfg, err := config.Load(cmd.Config, config.Force(cmd.Force))
	if err != nil {
		return err
	}
	if err := createFolder(cmd.Data); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		c.log.Warn(w.String())
	}
	err = daemon.Run(c.ctx, daemon.Options{
		Config: cfg, Data: cmd.Data, Listen: cmd.Listen, Version: c.version, Logger: c.log,
		Listening: func(url string) { fmt.Fprintln(c.out, "Gengfu", c.version, "at", url) },
	})
	return untilStopped(c.ctx, err)
}
