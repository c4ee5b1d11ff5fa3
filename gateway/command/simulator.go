package command

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// simulatorCommand puts simulated devices on a line. Faults are named as
// simulator.ParseFault names them.
type simulatorCommand struct {
	Devices     []string      `arg:"" help:"Devices as PROFILE@ADDRESS, or PROFILE@FROM-TO for several: eastron-sdm120@1, dlt645-2007@000000000161." name:"device"`
	Link        string        `help:"Where the serial line shall be found; without it a name is made up and printed." placeholder:"PATH" type:"path" xor:"place"`
	TCP         string        `help:"Listen here for Modbus TCP instead, as :1502." placeholder:"ADDR" xor:"place"`
	Transparent bool          `help:"With --tcp: pass on plain frames, as a serial server does. Meters need it."`
	Baud        int           `help:"Baud rate of the line; 0 is as fast as it goes." default:"9600"`
	Parity      string        `help:"Parity: none, even, odd, or as 8N1. It only counts for the time that a character takes." default:"none"`
	ASCII       bool          `help:"Modbus devices speak ASCII, not RTU."`
	Turnaround  time.Duration `help:"How long a device takes to begin its answer." default:"10ms"`
	Fault       []string      `help:"What goes wrong, and how often, as \"late 600ms 2%\"; of one device as \"1: dead\". May be given several times." placeholder:"FAULT" sep:"none"`
	Seed        uint64        `help:"The same number lets the same things go wrong." default:"1"`
	Alive       bool          `help:"Let the values move."`
	JSON        bool          `help:"Print JSON, for programs."`
	siteFlag
}

func (simulatorCommand) Help() string {
	return `The faults are silent or dead, slow TIME, late TIME (slow once, or at its rate),
exception N, busy, corrupt, flip, split TIME, truncated, cut, duplicate, foreign,
noise, drop, and of the whole line echo and heartbeat TIME. A rate such as 5% makes
one of twenty requests suffer, without it all do.

  gengfu simulator --link /tmp/bus --fault "late 600ms 2%" --fault "3: dead" eastron-sdm120@1-4
  gengfu read --port /tmp/bus --baud 9600 --profile eastron-sdm120 --address 1 --watch`
}

func (cmd simulatorCommand) Run(c *console) error {
	slaves, faults, err := cmd.build()
	if err != nil {
		return err
	}
	opts, err := cmd.options(faults)
	if err != nil {
		return err
	}
	where, closeLine, err := cmd.serve(c, opts, slaves)
	if err != nil {
		return err
	}
	var life sync.WaitGroup
	if cmd.Alive {
		life.Go(func() { simulator.Live(c.ctx, time.Second, cmd.Seed, slaves...) })
	}
	if err = cmd.tell(c, where, slaves); err == nil {
		<-c.ctx.Done()
	}
	err = errors.Join(err, closeLine())
	life.Wait()
	return err
}

// build makes the devices with their own faults, and returns those of the line.
func (cmd simulatorCommand) build() (slaves []*simulator.Slave, line []simulator.Fault, err error) {
	cfg, err := cmd.site()
	if err != nil {
		return nil, nil, err
	}
	models, err := profiles(cfg)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range cmd.Devices {
		made, err := personas(d, models)
		if err != nil {
			return nil, nil, err
		}
		slaves = append(slaves, made...)
	}
	own := map[string][]simulator.Fault{}
	for _, f := range cmd.Fault {
		address, name, ofOne := strings.Cut(f, ":")
		if !ofOne {
			address, name = "", f
		}
		parsed, err := simulator.ParseFaults(name)
		if err != nil {
			return nil, nil, fmt.Errorf("--fault %q: %w", f, err)
		}
		own[address] = append(own[address], parsed...)
	}
	line = own[""]
	delete(own, "")
	for address, faults := range own {
		if !misbehave(slaves, address, faults) {
			return nil, nil, fmt.Errorf("--fault: no device has the address %s", address)
		}
	}
	return slaves, line, nil
}

func misbehave(slaves []*simulator.Slave, address string, faults []simulator.Fault) (found bool) {
	for _, s := range slaves {
		if sameAddress(s.Name(), address) {
			s.SetFaults(faults...)
			found = true
		}
	}
	return found
}

// personas makes the devices of PROFILE@ADDRESS or PROFILE@FROM-TO.
func personas(arg string, models map[string]profile.Profile) (out []*simulator.Slave, err error) {
	id, address, ok := strings.Cut(arg, "@")
	p, known := models[id]
	switch {
	case !ok || address == "":
		return nil, fmt.Errorf("%q has no address: write it as %s@1", arg, id)
	case !known:
		return nil, noProfile(id, models)
	}
	all := []string{address}
	if from, to, ranged := strings.Cut(address, "-"); ranged {
		if all, err = between(from, to); err != nil {
			return nil, fmt.Errorf("%s: %w", arg, err)
		}
	}
	for _, a := range all {
		s, err := simulator.New(p, a)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func noProfile(id string, models map[string]profile.Profile) error {
	names := slices.Sorted(maps.Keys(models))
	if near := facility.Nearest(id, names); near != "" {
		return fmt.Errorf("there is no profile %q; did you mean %s?", id, near)
	}
	return fmt.Errorf("there is no profile %q; there are %s", id, strings.Join(names, ", "))
}

// between counts from one address to another; leading zeros stay.
func between(from, to string) (all []string, err error) {
	const most = 247
	low, errLow := strconv.ParseUint(from, 10, 64)
	high, errHigh := strconv.ParseUint(to, 10, 64)
	if errLow != nil || errHigh != nil || low > high || high-low >= most {
		return nil, fmt.Errorf("from %s to %s are no addresses, or more than %d", from, to, most)
	}
	for a := low; a <= high; a++ {
		all = append(all, fmt.Sprintf("%0*d", len(from), a))
	}
	return all, nil
}

func (cmd simulatorCommand) options(faults []simulator.Fault) (o simulator.Options, err error) {
	frames, err := framings([]string{cmd.Parity})
	if err != nil {
		return o, err
	}
	if cmd.Baud < 0 || cmd.Turnaround < 0 {
		return o, errors.New("--baud and --turnaround cannot be below 0")
	}
	s := scan.ParseFraming(frames[0])
	bits := 1 + s.DataBits + s.StopBits
	if s.Parity != "none" {
		bits++
	}
	return simulator.Options{
		Wire:  simulator.Wire{Baud: cmd.Baud, Bits: bits, Turnaround: cmd.Turnaround},
		ASCII: cmd.ASCII, Faults: faults, Seed: cmd.Seed,
	}, nil
}

// serve opens the line and says where it is.
func (cmd simulatorCommand) serve(c *console, opts simulator.Options, slaves []*simulator.Slave) (where string, closeLine func() error, err error) {
	if cmd.TCP == "" {
		tty, err := simulator.OpenPTY(cmd.Link)
		if err != nil {
			return "", nil, err
		}
		bus, err := simulator.NewLine(tty, opts, slaves...)
		if err != nil {
			return "", nil, errors.Join(err, tty.Close())
		}
		return tty.Path(), bus.Close, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(c.ctx, "tcp", cmd.TCP)
	if err != nil {
		return "", nil, fmt.Errorf("simulate on %s: %w", cmd.TCP, err)
	}
	serve := simulator.ServeModbusTCP
	if cmd.Transparent || cmd.ASCII {
		serve = simulator.ServeLine
	}
	server, err := serve(l, opts, slaves...)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("%w; with --transparent it is a serial server, on which all protocols pass", err), l.Close())
	}
	return server.Addr(), server.Close, nil
}

// mode says how the line is to be spoken to.
func (cmd simulatorCommand) mode() string {
	frames := ""
	if cmd.ASCII {
		frames = ", Modbus ASCII"
	}
	switch {
	case cmd.TCP != "" && !cmd.Transparent && !cmd.ASCII:
		return "Modbus TCP"
	case cmd.TCP != "":
		return fmt.Sprintf("transparent, %d baud%s", cmd.Baud, frames)
	}
	return fmt.Sprintf("serial, %d baud, parity %s%s", cmd.Baud, cmd.Parity, frames)
}

// tell prints where the line is and who is on it.
func (cmd simulatorCommand) tell(c *console, where string, slaves []*simulator.Slave) error {
	type device struct {
		Profile  string           `json:"profile"`
		Name     facility.Text    `json:"name"`
		Protocol profile.Protocol `json:"protocol"`
		Address  string           `json:"address"`
		Points   int              `json:"points"`
		Faults   []string         `json:"faults,omitempty"`
	}
	out := struct {
		Listening string   `json:"listening"`
		Mode      string   `json:"mode"`
		Devices   []device `json:"devices"`
		Faults    []string `json:"faults,omitempty"`
		Seed      uint64   `json:"seed"`
	}{Listening: where, Mode: cmd.mode(), Faults: cmd.Fault, Seed: cmd.Seed}
	for _, s := range slaves {
		p := s.Profile()
		d := device{p.ID, p.Name, p.Language(), s.Name(), len(p.Points), nil}
		for _, f := range s.Faults() {
			d.Faults = append(d.Faults, f.String())
		}
		out.Devices = append(out.Devices, d)
	}
	if cmd.JSON {
		return c.lineJSON(out)
	}
	fmt.Fprintf(c.out, "%s (%s)\n", where, out.Mode)
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, d := range out.Devices {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d points\t%s\t%s\n", d.Address, d.Profile, d.Protocol, d.Points, bilingual(d.Name), strings.Join(d.Faults, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(cmd.Fault) > 0 {
		fmt.Fprintf(c.out, "faults: %s (seed %d)\n", strings.Join(cmd.Fault, ", "), cmd.Seed)
	}
	fmt.Fprintln(c.out, "Ctrl-C ends it.")
	return nil
}
