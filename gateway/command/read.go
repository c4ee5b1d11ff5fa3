package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gengfu/devices"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/facility"
	"gengfu/gateway/config"
)

type readCommand struct {
	Device string `arg:"" optional:"" help:"Id of the device in the site file; none with --port."`
	siteFlag
	Port string `help:"A port as /dev/ttyUSB0 or an address as 192.168.1.50:502, to read without a site file." placeholder:"LINE"`
	portFlags
	Profile  string        `help:"Model of the device at --port." placeholder:"ID"`
	Address  string        `help:"Address of the device at --port." placeholder:"N"`
	Protocol string        `help:"How it is spoken to at --port, instead of what is usual: modbus-rtu, modbus-tcp, modbus-ascii." placeholder:"NAME"`
	Table    string        `help:"Without a profile: the registers of a table, coil, discrete, holding or input." placeholder:"TABLE"`
	From     int           `help:"With --table: the first address, as on the wire." placeholder:"N"`
	Count    int           `help:"With --table: how many." default:"10" placeholder:"N"`
	Watch    bool          `help:"Read again and again, and mark what changes."`
	Every    time.Duration `help:"With --watch: how often." default:"2s" placeholder:"TIME"`
	JSON     bool          `help:"Print JSON, for programs; with --watch one object in a line."`
	Raw      bool          `help:"Show the frames as well." negatable:"" default:"true"`
}

// subject is what is read, and how.
type subject struct {
	device devices.DeviceConfig
	line   devices.LineConfig
	model  profile.Profile
}

func (cmd readCommand) Run(c *console) error {
	if cmd.Table != "" {
		return cmd.readTable(c)
	}
	s, err := cmd.subject()
	if err != nil {
		return err
	}
	if cmd.Watch {
		return cmd.watch(c, s)
	}
	readings, frames, err := devices.ReadOnce(c.ctx, s.line, s.device, s.model)
	if err == nil {
		err = worth(readings)
	} else {
		err = openCure(s.line, err)
	}
	if cmd.JSON {
		return cmd.printJSON(c, s, readings, frames, err)
	}
	if cmd.Raw {
		printFrames(c, frames)
	}
	printReadings(c, s, readings, frames, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.device.ID, err)
	}
	return nil
}

func printFrames(c *console, frames []devices.RawFrame) {
	for _, f := range frames {
		fmt.Fprintf(c.out, "→ % X\n", f.Request)
		switch {
		case f.Reply != nil:
			fmt.Fprintf(c.out, "← % X  (%v)\n", f.Reply, f.Took.Round(time.Millisecond))
		case f.Err != nil:
			fmt.Fprintf(c.out, "← %v\n", f.Err)
		}
	}
}

// subject finds the device of the site file, or makes one of the flags.
func (cmd readCommand) subject() (subject, error) {
	if cmd.Port != "" {
		return cmd.plain()
	}
	if cmd.Device == "" || cmd.Config == "" {
		return subject{}, errors.New("say what to read: a device and --config FILE, or --port with --profile and --address, or --port with --table")
	}
	cfg, err := config.Load(cmd.Config)
	if err != nil {
		return subject{}, err
	}
	device, l, err := findDevice(cfg, cmd.Device)
	if err != nil {
		return subject{}, err
	}
	return subject{device, l, cfg.Profiles[device.Profile]}, nil
}

// plain is a device that stands in no site file.
func (cmd readCommand) plain() (subject, error) {
	cfg, err := cmd.site()
	if err != nil {
		return subject{}, err
	}
	models, err := profiles(cfg)
	if err != nil {
		return subject{}, err
	}
	model, ok := models[cmd.Profile]
	switch {
	case !ok && cmd.Profile == "":
		return subject{}, errors.New("--port needs --profile with --address, or --table; \"gengfu scan\" finds out which")
	case !ok:
		return subject{}, unknownProfile(cmd.Profile, models)
	case cmd.Address == "":
		return subject{}, errors.New("--port needs the --address of the device")
	}
	l, err := cmd.lineOf(model)
	if err != nil {
		return subject{}, err
	}
	d := devices.DeviceConfig{ID: model.ID + "-" + cmd.Address, Name: model.Name, Profile: model.ID, Line: l.ID, Address: devices.Address(cmd.Address)}
	problems := devices.Validate([]devices.LineConfig{l}, []devices.DeviceConfig{d}, nil, models)
	if len(problems) > 0 {
		return subject{}, problems[0]
	}
	return subject{d, l, model}, nil
}

// lineOf is the line of --port, as a device of the model wants it.
func (cmd readCommand) lineOf(model profile.Profile) (devices.LineConfig, error) {
	at, err := findPlace(cmd.Port, nil)
	if err != nil {
		return devices.LineConfig{}, err
	}
	s, err := cmd.apply(&at)
	if err != nil {
		return devices.LineConfig{}, err
	}
	l := devices.LineConfig{ID: "line", Protocol: devices.Protocol(cmd.Protocol), TCP: at.tcp}
	if at.serial != nil {
		serial := s.Serial(at.serial.Port)
		l.Serial = &serial
	}
	switch {
	case l.Protocol != "":
	case model.Language() != profile.Modbus:
		l.Protocol = devices.Protocol(model.Language())
	case at.serial == nil:
		l.Protocol = devices.ModbusTCP
	default:
		l.Protocol = devices.ModbusRTU
	}
	return l, nil
}

// worth is an error when a device answered without giving any value.
func worth(readings []facility.Reading) error {
	for _, r := range readings {
		if r.Quality != facility.Bad {
			return nil
		}
	}
	return errors.New("it answers, but gives no value")
}

func findDevice(cfg *config.Config, id string) (devices.DeviceConfig, devices.LineConfig, error) {
	var names []string
	for _, d := range cfg.File.Devices {
		names = append(names, d.ID)
		if d.ID != id {
			continue
		}
		for _, l := range cfg.Lines {
			if l.ID == d.Line {
				return d, l, nil
			}
		}
	}
	return devices.DeviceConfig{}, devices.LineConfig{}, fmt.Errorf("the site has no device %q; it has %v", id, names)
}

// rawOf returns what stood on the wire for each quantity, in hex.
func rawOf(s subject, frames []devices.RawFrame) map[string]string {
	out := map[string]string{}
	for _, f := range frames {
		for _, v := range sniff.Interpret(sniff.Protocol(s.line.Protocol), f.Request, f.Reply, &s.model).Values {
			if v.Raw != "" {
				out[v.Quantity] = v.Raw
			}
		}
	}
	return out
}

// printReadings prints decoded and raw values side by side. Those in changed are marked.
func printReadings(c *console, s subject, readings []facility.Reading, frames []devices.RawFrame, changed map[string]bool) {
	raw := rawOf(s, frames)
	const longest = 40 // of what is shown raw: a meter's whole reply would not fit
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, r := range readings {
		p, _ := s.model.Point(r.Point.Quantity)
		value := fmt.Sprintf("%.*f", p.Decimals, r.Value)
		if label, ok := p.Labels[int(r.Value)]; ok {
			value += " " + bilingual(label)
		}
		if r.Quality == facility.Bad {
			value = "–"
		}
		mark := ""
		if changed[r.Point.Quantity] {
			mark = "*"
		}
		shown := raw[r.Point.Quantity]
		if len(shown) > longest {
			shown = shown[:longest] + "…"
		}
		fmt.Fprintf(w, "%s\t%s%s\t%s\t%s\t%s\t%s\n", r.Point.Quantity, value, mark, r.Unit, shown,
			strings.TrimSpace(r.Quality.String()+" "+string(r.Reason)), bilingual(p.Name))
	}
	_ = w.Flush() // an error of the console has no other place to go to
}

// jsonFrame is a request with its reply as programs read it.
type jsonFrame struct {
	Request string `json:"request"`
	Reply   string `json:"reply,omitempty"`
	Took    string `json:"took"`
	Error   string `json:"error,omitempty"`
}

func jsonFrames(frames []devices.RawFrame) []jsonFrame {
	out := []jsonFrame{}
	for _, f := range frames {
		j := jsonFrame{Request: fmt.Sprintf("%X", f.Request), Reply: fmt.Sprintf("%X", f.Reply), Took: f.Took.String()}
		if f.Err != nil {
			j.Error = f.Err.Error()
		}
		out = append(out, j)
	}
	return out
}

// readReport is what was read as programs read it.
type readReport struct {
	Readings []jsonReading `json:"readings"`
	Frames   []jsonFrame   `json:"frames"`
	Error    string        `json:"error,omitempty"`
}

type jsonReading struct {
	Point   facility.PointID `json:"point"`
	Time    time.Time        `json:"time"`
	Value   *float64         `json:"value"`
	Raw     string           `json:"raw,omitempty"` // the registers in hex
	Unit    string           `json:"unit,omitempty"`
	Quality facility.Quality `json:"quality"`
	Reason  facility.Reason  `json:"reason,omitempty"`
}

func reportOf(s subject, readings []facility.Reading, frames []devices.RawFrame, failed error) readReport {
	out := readReport{Readings: []jsonReading{}, Frames: jsonFrames(frames)}
	raw := rawOf(s, frames)
	for _, r := range readings {
		j := jsonReading{Point: r.Point, Time: r.Time, Unit: r.Unit, Quality: r.Quality, Reason: r.Reason, Raw: raw[r.Point.Quantity]}
		if r.Quality != facility.Bad {
			j.Value = &r.Value
		}
		out.Readings = append(out.Readings, j)
	}
	if failed != nil {
		out.Error = failed.Error()
	}
	return out
}

func (cmd readCommand) printJSON(c *console, s subject, readings []facility.Reading, frames []devices.RawFrame, failed error) error {
	if err := c.printJSON(reportOf(s, readings, frames, failed)); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("read %s: %w", s.device.ID, failed)
	}
	return nil
}

// watch reads until it is interrupted, which is how it is meant to end.
func (cmd readCommand) watch(c *console, s subject) error {
	if cmd.Every < 100*time.Millisecond {
		return fmt.Errorf("--every %v: write 100ms or more", cmd.Every)
	}
	before := map[string]string{}
	for first := true; ; first = false {
		next := time.Now().Add(cmd.Every)
		readings, frames, err := devices.ReadOnce(c.ctx, s.line, s.device, s.model)
		if c.ctx.Err() != nil {
			return nil //nolint:nilerr // so it is meant to end
		}
		if err != nil && readings == nil {
			return openCure(s.line, err) // the line cannot be opened
		}
		changed := changes(before, readings)
		if e := cmd.show(c, s, readings, frames, changed, first, err); e != nil {
			return e
		}
		if line.Wait(c.ctx, next) != nil {
			return nil //nolint:nilerr // so it is meant to end
		}
	}
}

// changes returns which readings are not what they were, and remembers them.
func changes(before map[string]string, readings []facility.Reading) map[string]bool {
	out := map[string]bool{}
	for _, r := range readings {
		now := r.Quality.String() + string(r.Reason) + strconv.FormatFloat(r.Value, 'g', -1, 64)
		was, known := before[r.Point.Quantity]
		out[r.Point.Quantity] = known && was != now
		before[r.Point.Quantity] = now
	}
	return out
}

// show redraws a terminal; otherwise it prints everything once, and then what changes.
func (cmd readCommand) show(c *console, s subject, readings []facility.Reading, frames []devices.RawFrame, changed map[string]bool, first bool, failed error) error {
	if cmd.JSON {
		return c.lineJSON(reportOf(s, readings, frames, failed))
	}
	if terminal(c.out) {
		fmt.Fprintf(c.out, "\x1b[H\x1b[2J%s  %s  every %v; * has changed, Ctrl-C ends\n\n", s.device.ID, time.Now().Format("15:04:05"), cmd.Every)
		printReadings(c, s, readings, frames, changed)
		if failed != nil {
			fmt.Fprintln(c.out, c.paint("red", failed.Error()))
		}
		return nil
	}
	if first {
		printReadings(c, s, readings, frames, nil)
	}
	for _, r := range readings {
		if changed[r.Point.Quantity] {
			p, _ := s.model.Point(r.Point.Quantity)
			fmt.Fprintf(c.out, "%s %s %s\n", r.Time.Local().Format("15:04:05"), r.Point.Quantity, shown(p, r))
		}
	}
	return nil
}
