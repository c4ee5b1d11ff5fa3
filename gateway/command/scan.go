package command

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
	"gengfu/facility"
)

type scanCommand struct {
	Line string `arg:"" help:"Id of a line in the site file, a port as /dev/ttyUSB0, or an address as 192.168.1.50:502."`
	siteFlag
	Baud     []int         `help:"Baud rates to try, instead of all usual ones." placeholder:"RATE"`
	Parity   []string      `help:"Parities to try: none, even, odd, or as 8N1." placeholder:"P"`
	Address  string        `help:"Modbus addresses to try, as 1-32,40; all of 1 to 247 without it." placeholder:"LIST"`
	Protocol []string      `help:"Protocols to try: modbus-rtu, modbus-tcp, modbus-ascii, dlt645, cjt188, mbus." placeholder:"NAME"`
	Timeout  time.Duration `help:"How long a Modbus slave may take to begin its answer; 100ms, over a socket 300ms." placeholder:"TIME"`
	Thorough bool          `help:"Try all settings even when somebody answers, and ask silent addresses in a second way."`
	JSON     bool          `help:"Print JSON, for programs."`
}

func (cmd scanCommand) Run(c *console) error {
	cfg, err := cmd.site()
	if err != nil {
		return err
	}
	at, err := findPlace(cmd.Line, cfg)
	if err != nil {
		return err
	}
	models, err := profiles(cfg)
	if err != nil {
		return err
	}
	opts, err := cmd.options(at)
	if err != nil {
		return err
	}
	plan := scan.Plan(opts)
	if len(plan) == 0 {
		return fmt.Errorf("scan %s: these flags leave nothing to try", cmd.Line)
	}
	bar := newBar(c)
	bar.say("%s: %d settings, %d attempts, at most %s; it stops at the setting at which somebody answers.\n",
		cmd.Line, len(scan.Settings(opts)), len(plan), people(scan.Estimate(plan)))
	begun := time.Now()
	sweep := scan.Sweep{
		Options: opts, Profiles: ordered(models), Open: at.open, Progress: bar.progress,
		Found: func(d scan.Device) { bar.say("%s\n", foundLine(d)) },
	}
	found, err := sweep.Run(c.ctx)
	bar.end()
	took := time.Since(begun).Round(100 * time.Millisecond)
	if err != nil {
		err = fmt.Errorf("scan %s: %w", cmd.Line, err)
	} else if len(found) == 0 {
		err = fmt.Errorf("scan %s: nobody answers: check power, A and B (try them the other way round), the ground between the cabinets and the addresses; \"gengfu doctor %s\" looks further", cmd.Line, cmd.Line)
	}
	if cmd.JSON {
		if e := c.printJSON(scanReport(found, took, at, models, err)); e != nil {
			return e
		}
		return err
	}
	if len(found) > 0 {
		printFound(c, found, models)
		fmt.Fprintf(c.out, "\n%d found in %v. To paste into the site file:\n\n%s", len(found), took, siteYAML(found, at, models))
	}
	return err
}

// ordered returns the profiles by id, so that equal ones are named in the same order.
func ordered(m map[string]profile.Profile) (out []profile.Profile) {
	for _, id := range slices.Sorted(maps.Keys(m)) {
		p := m[id]
		p.Defaults()
		out = append(out, p)
	}
	return out
}

func (cmd scanCommand) options(at place) (o scan.Options, err error) {
	o = scan.Options{Socket: at.serial == nil, Bauds: cmd.Baud, Thorough: cmd.Thorough, Patience: cmd.Timeout}
	if o.Socket && (len(cmd.Baud) > 0 || len(cmd.Parity) > 0) {
		return o, fmt.Errorf("%s is a socket: baud rate and parity are set in the box behind it", cmd.Line)
	}
	if cmd.Timeout < 0 || cmd.Timeout > 30*time.Second {
		return o, fmt.Errorf("--timeout %v: write up to 30s, as 300ms", cmd.Timeout)
	}
	for _, b := range cmd.Baud {
		if b < 300 || b > 4000000 {
			return o, fmt.Errorf("--baud %d: write 300 to 4000000", b)
		}
	}
	if o.Framings, err = framings(cmd.Parity); err != nil {
		return o, err
	}
	if o.Addresses, err = addresses(cmd.Address); err != nil {
		return o, err
	}
	all := []sniff.Protocol{sniff.ModbusRTU, sniff.ModbusTCP, sniff.ModbusASCII, sniff.DLT645, sniff.CJT188, sniff.MBus}
	for _, name := range cmd.Protocol {
		p := sniff.Protocol(name)
		if !slices.Contains(all, p) {
			return o, fmt.Errorf("--protocol %s: write one of %v", name, all)
		}
		o.Protocols = append(o.Protocols, p)
	}
	if s, ok := at.setting(); ok && at.config != nil && len(cmd.Baud) == 0 && len(cmd.Parity) == 0 {
		o.First = &s // as it is configured
	}
	return o, nil
}

// bar is the line that shows how far a command is. Without a terminal it only says
// what is worth keeping.
type bar struct {
	c     *console
	live  bool
	drawn bool
	last  time.Time
}

func newBar(c *console) *bar { return &bar{c: c, live: terminal(c.err)} }

// say prints a line that stays.
func (b *bar) say(format string, args ...any) {
	b.clear()
	fmt.Fprintf(b.c.err, format, args...)
}

func (b *bar) progress(p scan.Progress) {
	const often = 100 * time.Millisecond
	if !b.live || time.Since(b.last) < often {
		return
	}
	b.last = time.Now()
	b.clear()
	what := p.Doing
	if what == "" {
		what = string(p.Step.Protocol)
		if p.Step.Address > 0 {
			what += " " + strconv.Itoa(p.Step.Address)
		}
		what = fmt.Sprintf("%d/%d, %s left, %s", p.Done, p.Of, people(p.Left), what)
	}
	fmt.Fprintf(b.c.err, "%s  %s  %d found", p.Step.Setting, what, p.Devices)
	b.drawn = true
}

func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.c.err, "\r\x1b[K")
		b.drawn = false
	}
}

func (b *bar) end() { b.clear() }

// people writes a duration as people say it.
func people(d time.Duration) string {
	switch {
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	case d >= 10*time.Second:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func foundLine(d scan.Device) string {
	name := "unknown"
	if len(d.Candidates) > 0 {
		name = d.Candidates[0].Profile + " (" + string(d.Candidates[0].Confidence) + ")"
	}
	if d.Spoilt {
		name = d.Note
	}
	return fmt.Sprintf("found %s %s at %s: %s", d.Protocol, d.Address, d.Setting, name)
}

func printFound(c *console, found []scan.Device, models map[string]profile.Profile) {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tPROTOCOL\tSETTING\tANSWERS IN\tPROFILE\tHOW SURE\tMODEL OR WHAT ELSE IT MAY BE")
	for _, d := range found {
		profileID, sure, what := "–", "–", "it answers, and no profile fits: see configs/profiles/README.md"
		switch {
		case d.Spoilt:
			what = d.Note
		case len(d.Candidates) > 0:
			best := d.Candidates[0]
			profileID, sure = best.Profile, string(best.Confidence)
			what = bilingual(models[best.Profile].Name)
			if others := alternatives(d); len(others) > 0 {
				what += "; or " + strings.Join(others, ", ")
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%v\t%s\t%s\t%s\n", d.Address, d.Protocol, d.Setting, d.Turnaround, profileID, sure, what)
	}
	_ = w.Flush() // an error of the console has no other place to go to
}

// alternatives are the other models that fit nearly as well.
func alternatives(d scan.Device) (out []string) {
	const most, near = 3, 5
	best := d.Candidates[0]
	if best.Confidence == scan.Sure {
		return nil
	}
	for _, c := range d.Candidates[1:] {
		if len(out) < most && best.Score-c.Score < near {
			out = append(out, c.Profile)
		}
	}
	return out
}

// siteYAML is what to paste into a site file.
func siteYAML(found []scan.Device, at place, models map[string]profile.Profile) string {
	var b strings.Builder
	named := slices.DeleteFunc(slices.Clone(found), func(d scan.Device) bool { return d.Spoilt || len(d.Candidates) == 0 })
	lineID := "field"
	if at.config != nil {
		lineID = at.config.ID
	}
	first := found[0]
	b.WriteString("lines:\n")
	fmt.Fprintf(&b, "  - id: %s\n    protocol: %s\n", lineID, first.Protocol)
	if at.serial != nil {
		s := first.Setting
		fmt.Fprintf(&b, "    serial: {port: %s, baud: %d, parity: %s, data_bits: %d, stop_bits: %d}\n", at.serial.Port, s.Baud, s.Parity, s.DataBits, s.StopBits)
	} else {
		fmt.Fprintf(&b, "    tcp: {address: %q}\n", at.tcp.Address)
	}
	if len(named) == 0 {
		return b.String()
	}
	b.WriteString("devices:\n")
	for _, d := range named {
		p := models[d.Candidates[0].Profile]
		address := d.Address
		if !d.Protocol.Modbus() {
			address = strconv.Quote(address)
		}
		id := strings.ReplaceAll(p.Kind, "_", "-") + "-" + strings.ToLower(strings.TrimLeft(d.Address, "0"))
		fmt.Fprintf(&b, "  - {id: %s, name: {zh: %s, en: %s}, profile: %s, line: %s, address: %s}\n",
			id, yamlText(p.Name, "zh", d.Address), yamlText(p.Name, "en", d.Address), p.ID, lineID, address)
	}
	return b.String()
}

func yamlText(t facility.Text, language, address string) string {
	return strconv.Quote(t.In(language) + " " + address)
}

func scanReport(found []scan.Device, took time.Duration, at place, models map[string]profile.Profile, err error) any {
	type device struct {
		Protocol   sniff.Protocol   `json:"protocol"`
		Address    string           `json:"address"`
		Setting    scan.Setting     `json:"setting"`
		Turnaround float64          `json:"turnaround_ms"`
		Spoilt     bool             `json:"spoilt"`
		Note       string           `json:"note,omitempty"`
		Candidates []scan.Candidate `json:"candidates"`
	}
	out := struct {
		Line    string   `json:"line"`
		Seconds float64  `json:"seconds"`
		Devices []device `json:"devices"`
		YAML    string   `json:"yaml,omitempty"`
		Error   string   `json:"error,omitempty"`
	}{Line: at.name, Seconds: took.Seconds(), Devices: []device{}}
	for _, d := range found {
		j := device{
			Protocol: d.Protocol, Address: d.Address, Setting: d.Setting, Turnaround: float64(d.Turnaround) / float64(time.Millisecond),
			Spoilt: d.Spoilt, Note: d.Note, Candidates: d.Candidates,
		}
		if j.Candidates == nil {
			j.Candidates = []scan.Candidate{}
		}
		out.Devices = append(out.Devices, j)
	}
	if len(found) > 0 {
		out.YAML = siteYAML(found, at, models)
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}
