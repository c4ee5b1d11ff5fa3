package command

import (
	"errors"
	"fmt"
	"io"
	"os"

	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/devices/trace"
)

type replayCommand struct {
	File string `arg:"" help:"What gengfu trace or gengfu sniff kept with --out; - is the standard input."`
	siteFlag
	Profile string `help:"Decode with this profile, whatever the trace and the site file say." placeholder:"ID"`
	Differs bool   `help:"Print only what is decoded otherwise than it was then."`
	JSON    bool   `help:"Print JSON, one object in a line, for programs."`
}

func (cmd replayCommand) Run(c *console) (err error) {
	cfg, err := cmd.site()
	if err != nil {
		return err
	}
	models, err := profiles(cfg)
	if err != nil {
		return err
	}
	if _, ok := models[cmd.Profile]; cmd.Profile != "" && !ok {
		return unknownProfile(cmd.Profile, models)
	}
	in := c.in
	if cmd.File != "-" {
		f, err := os.Open(cmd.File)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	r, err := trace.NewReader(in)
	if err != nil {
		return fmt.Errorf("replay %s: %w", cmd.File, err)
	}
	var at place
	if cfg != nil {
		at, _ = findPlace(r.Head.Line, cfg) // a line that is not in this site: nothing is known of its devices
	}
	p := player{console: c, only: cmd.Differs, json: cmd.JSON, models: models}
	p.model = func(device, id string, protocol sniff.Protocol, address string) *profile.Profile {
		for _, name := range []string{cmd.Profile, configured(at, device), id} {
			if m, ok := models[name]; ok {
				return &m
			}
		}
		_, m := at.deviceAt(protocol, address)
		return m
	}
	return p.play(cmd.File, r)
}

// configured returns the profile that the site file gives a device now.
func configured(at place, device string) string {
	if at.site == nil {
		return ""
	}
	for _, d := range at.site.File.Devices {
		if d.ID == device {
			return d.Profile
		}
	}
	return ""
}

// player prints a trace as it is decoded now.
type player struct {
	*console
	only, json bool
	models     map[string]profile.Profile
	model      trace.Model

	exchanges, failed, differ, lost int
}

func (p *player) play(name string, r *trace.Reader) error {
	replay := trace.NewReplay(r.Head, p.model)
	for {
		e, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			fmt.Fprintf(p.err, "%s: %v; all before it was read\n", name, err)
			break
		}
		if err != nil {
			return fmt.Errorf("replay %s: %w", name, err)
		}
		if err := p.step(replay.Step(e)); err != nil {
			return err
		}
	}
	if err := p.step(replay.End()); err != nil {
		return err
	}
	if !p.json {
		fmt.Fprintf(p.err, "%d exchanges, %d without a whole answer, %d decoded otherwise than then, %d lost\n", p.exchanges, p.failed, p.differ, p.lost)
	}
	if p.differ > 0 {
		return fmt.Errorf("replay %s: %d exchanges are decoded otherwise than then", name, p.differ)
	}
	return nil
}

func (p *player) step(s trace.Step) error {
	p.lost += s.Entry.Lost
	if len(s.Heard) > 0 {
		l := listener{console: p.console, json: p.json}
		for _, e := range s.Heard {
			if err := l.explained(e, p.model); err != nil {
				return err
			}
		}
	}
	if len(s.Entry.Request) == 0 {
		return nil
	}
	p.exchanges++
	if s.Meaning.Problem != "" {
		p.failed++
	}
	if len(s.Differs) > 0 {
		p.differ++
	}
	if p.only && len(s.Differs) == 0 {
		return nil
	}
	x := exchangeOf(s.Entry, s.Meaning)
	x.Differs = s.Differs
	if p.json {
		return p.lineJSON(x)
	}
	p.exchange(x)
	return nil
}

func unknownProfile(id string, models map[string]profile.Profile) error {
	names := ordered(models)
	list := make([]string, len(names))
	for i, p := range names {
		list[i] = p.ID
	}
	return fmt.Errorf("there is no profile %q; there are %v", id, list)
}
