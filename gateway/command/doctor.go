package command

import (
	"errors"
	"fmt"
	"time"

	"gengfu/devices"
	"gengfu/devices/doctor"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/gateway/config"
)

type doctorCommand struct {
	Name string `arg:"" name:"line-or-device" help:"Id of a line or a device in the site file, a port as /dev/ttyUSB0, or an address as 192.168.1.50:502."`
	siteFlag
	portFlags
	Address string `help:"Addresses that are to answer, without a site file." placeholder:"LIST"`
	Profile string `help:"Model of the devices at --address." placeholder:"ID"`
	JSON    bool   `help:"Print JSON, for programs."`
}

// errIll says that something is wrong, and that it has been told.
var errIll = errors.New("something is wrong with it; see above")

func (cmd doctorCommand) Run(c *console) error {
	cfg, err := cmd.site()
	if err != nil {
		return err
	}
	patient, err := cmd.patient(cfg)
	if err != nil {
		return err
	}
	bar := newBar(c)
	patient.Doing = bar.doing
	findings, err := doctor.Examine(c.ctx, patient)
	bar.end()
	if err != nil {
		return fmt.Errorf("examine %s: %w", cmd.Name, err)
	}
	ill := false
	for _, f := range findings {
		ill = ill || f.Severity == doctor.Wrong
	}
	if cmd.JSON {
		if err := c.printJSON(struct {
			Line     string           `json:"line"`
			OK       bool             `json:"ok"`
			Findings []doctor.Finding `json:"findings"`
		}{cmd.Name, !ill, findings}); err != nil {
			return err
		}
	} else {
		printFindings(c, findings)
	}
	if ill {
		return fmt.Errorf("doctor %s: %w", cmd.Name, errIll)
	}
	return nil
}

// patient gathers what is known of the line, and of the devices that are to answer.
func (cmd doctorCommand) patient(cfg *config.Config) (doctor.Patient, error) {
	name, only := cmd.Name, ""
	if cfg != nil {
		if d, l, err := findDevice(cfg, cmd.Name); err == nil {
			name, only = l.ID, d.ID
		}
	}
	at, err := findPlace(name, cfg)
	if err != nil {
		return doctor.Patient{}, err
	}
	setting, err := cmd.apply(&at)
	if err != nil {
		return doctor.Patient{}, err
	}
	models, err := profiles(cfg)
	if err != nil {
		return doctor.Patient{}, err
	}
	p := doctor.Patient{Name: name, Setting: setting, Open: at.open, Timeout: time.Second}
	if at.serial != nil {
		p.Port = at.serial.Port
	}
	if at.config != nil {
		p.Protocol = sniff.Protocol(at.config.Protocol)
		if at.config.Timeout > 0 {
			p.Timeout = at.config.Timeout
		}
		p.Targets = targetsOf(cfg, at, only, p.Timeout)
	}
	return p, cmd.add(&p, models)
}

func targetsOf(cfg *config.Config, at place, only string, timeout time.Duration) (out []doctor.Target) {
	for _, d := range cfg.File.Devices {
		if d.Line != at.config.ID || only != "" && d.ID != only {
			continue
		}
		model := cfg.Profiles[d.Profile]
		t := doctor.Target{ID: d.ID, Protocol: protocolOn(at, model), Address: string(d.Address), Model: &model, Timeout: timeout}
		for _, own := range []time.Duration{model.Limits.Timeout, d.Timeout} {
			if own > 0 {
				t.Timeout = own
			}
		}
		out = append(out, t)
	}
	return out
}

// protocolOn is how a model is spoken to on a line.
func protocolOn(at place, model profile.Profile) sniff.Protocol {
	if model.Language() != profile.Modbus {
		return sniff.Protocol(model.Language())
	}
	if at.config != nil && (at.config.Protocol == devices.ModbusTCP || at.config.Protocol == devices.ModbusASCII) {
		return sniff.Protocol(at.config.Protocol)
	}
	return sniff.ModbusRTU
}

// add adds the devices of the flags.
func (cmd doctorCommand) add(p *doctor.Patient, models map[string]profile.Profile) error {
	list, err := addresses(cmd.Address)
	if err != nil {
		return err
	}
	model, known := models[cmd.Profile]
	if cmd.Profile != "" && !known {
		return unknownProfile(cmd.Profile, models)
	}
	if cmd.Profile != "" && len(list) == 0 {
		return errors.New("--profile is of the devices at --address: write both")
	}
	for _, a := range list {
		t := doctor.Target{Protocol: p.Protocol, Address: fmt.Sprint(a), Timeout: p.Timeout}
		if known {
			t.Model = &model
		}
		if t.Protocol == "" {
			t.Protocol = sniff.ModbusRTU
			if p.Port == "" {
				t.Protocol = sniff.ModbusTCP
			}
		}
		p.Targets = append(p.Targets, t)
	}
	return nil
}

func (b *bar) doing(what string) {
	if !b.live {
		return
	}
	b.clear()
	fmt.Fprint(b.c.err, what, " …")
	b.drawn = true
}

func printFindings(c *console, findings []doctor.Finding) {
	signs := map[doctor.Severity]string{
		doctor.Wrong: c.paint("red", "wrong"), doctor.Hint: c.paint("yellow", "hint "), doctor.Fine: c.paint("green", "fine "),
	}
	for _, f := range findings {
		device := ""
		if f.Device != "" {
			device = f.Device + ": "
		}
		fmt.Fprintf(c.out, "%s  %-10s  %s%s\n", signs[f.Severity], f.Check, device, f.Found)
		if f.Severity != doctor.Fine {
			fmt.Fprintf(c.out, "                   %s\n", c.paint("dim", f.Did))
		}
		if f.Cure != "" {
			fmt.Fprintf(c.out, "                   → %s\n", f.Cure)
		}
	}
}
