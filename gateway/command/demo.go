package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gengfu/configs"
	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
	"gengfu/gateway/demo"
	"gengfu/storage/history"
	"gengfu/storage/ledger"
)

type demoCommand struct {
	Config string `help:"A site file with the demo's devices, instead of the built-in one." placeholder:"FILE" type:"path"`
	Guard  bool   `help:"Let a simulated guard walk the rounds." negatable:"" default:"true"`
	listenFlag
	demoDataFlag
}

func (cmd demoCommand) Run(c *console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	if err := createFolder(cmd.Data); err != nil {
		return err
	}
	// The devices outlive the gateway, or its last reads would find nobody.
	estate, err := demo.Start(context.WithoutCancel(c.ctx), demo.Options{
		Dir: filepath.Join(cmd.Data, demoFolder), NoGuard: !cmd.Guard, Logger: c.log.With("part", "demo"),
	})
	if err != nil {
		return err
	}
	if err := cmd.keepSite(cfg, estate.Addresses()); err != nil {
		return errors.Join(err, estate.Close())
	}
	connect(cfg, estate.Addresses())
	err = daemon.Run(c.ctx, daemon.Options{
		Config: cfg, Data: cmd.Data, Listen: cmd.Listen, Version: c.version, Logger: c.log,
		Prepare: func(ctx context.Context, l *ledger.Ledger, h history.Store) error {
			return prepareDemo(ctx, cfg, estate, l, h)
		},
		Listening:  func(url string) { cmd.welcome(c, url) },
		DemoLogins: demoLogins(),
		Extensions: []dashboard.Extension{{
			Path: "/demo", Name: facility.Text{ZH: "演示台", EN: "Demo"}, Roles: facility.Roles, Handler: estate.Handler(),
		}},
	})
	return untilStopped(c.ctx, errors.Join(err, estate.Close()))
}

// demoFolder is where the simulated devices keep their lines, in the data folder.
const demoFolder = "demo"

// siteFile is what the demo runs on, with the addresses of today, in the data
// folder: for "gengfu read".
const siteFile = "site.yaml"

// keepSite writes the site file as it runs.
func (cmd demoCommand) keepSite(cfg *config.Config, addresses map[string]string) error {
	text, err := configs.FS.ReadFile("demo.yaml")
	if cmd.Config != "" {
		text, err = os.ReadFile(cmd.Config)
	}
	if err != nil {
		return fmt.Errorf("keep the demo's site file: %w", err)
	}
	var pairs []string
	for _, l := range cfg.Lines {
		switch address, ok := addresses[l.ID]; {
		case !ok:
		case l.Serial != nil:
			pairs = append(pairs, "port: "+l.Serial.Port+",", "port: "+strconv.Quote(address)+",")
		case l.TCP != nil:
			pairs = append(pairs, strconv.Quote(l.TCP.Address), strconv.Quote(address))
		}
	}
	path := filepath.Join(cmd.Data, demoFolder, siteFile)
	if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		return fmt.Errorf("keep the demo's site file: %w", err)
	}
	return nil
}

// connect puts the addresses of the simulated lines into the configuration.
func connect(cfg *config.Config, addresses map[string]string) {
	for i := range cfg.Lines {
		l := &cfg.Lines[i]
		switch address, ok := addresses[l.ID]; {
		case !ok:
		case l.Serial != nil:
			l.Serial.Port = address
		case l.TCP != nil:
			l.TCP.Address = address
		}
	}
}

func demoLogins() []dashboard.DemoLogin {
	var out []dashboard.DemoLogin
	for _, l := range demo.People() {
		out = append(out, dashboard.DemoLogin{Login: l.Person.Login, Password: l.Password, Role: l.Person.Role, Name: l.Person.Name})
	}
	return out
}

func (cmd demoCommand) welcome(c *console, url string) {
	fmt.Fprintf(c.out, "\nGengfu 更夫 %s: the demo estate is at\n\n    %s\n\nSign in with one tap, or with one of these:\n\n", c.version, url)
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, l := range demo.People() {
		fmt.Fprintf(w, "    %s\t%s\t%s\t%s\n", l.Person.Login, l.Password, l.Person.Role, l.Person.Name)
	}
	_ = w.Flush() // an error of the console has no other place to go to
	fmt.Fprintf(c.out, "\nBreak something:  gengfu simulate break-pump 1 --data %s\n", cmd.Data)
	fmt.Fprintf(c.out, "Read a device:    gengfu read main-power --config %s\nStop with Ctrl-C.\n\n", filepath.Join(cmd.Data, demoFolder, siteFile))
}

type simulateCommand struct {
	Action []string `arg:"" optional:"" help:"What is to happen; without it the list of actions."`
	demoDataFlag
}

// Help lists the actions, because the demo knows them best.
func (simulateCommand) Help() string {
	var b strings.Builder
	b.WriteString("What can happen:\n\n")
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, a := range demo.Actions() {
		fmt.Fprintf(w, "    %s\t%s\n", a.Usage, a.What) // indented, or it is filled to one paragraph
	}
	_ = w.Flush() // into memory
	return b.String()
}

// simulateWithin bounds how long an action may take.
const simulateWithin = 10 * time.Second

func (cmd simulateCommand) Run(c *console) error {
	if len(cmd.Action) == 0 {
		_, err := fmt.Fprint(c.out, cmd.Help())
		return err
	}
	client, err := demo.Dial(filepath.Join(cmd.Data, demoFolder))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.ctx, simulateWithin)
	defer cancel()
	status, err := client.Do(ctx, demo.Action{Name: cmd.Action[0], Args: cmd.Action[1:]})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(status)
}
