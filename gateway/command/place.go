package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gengfu/devices"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
	"gengfu/facility"
	"gengfu/gateway/config"
)

// siteFlag names the site file where a command can do without one.
type siteFlag struct {
	Config string `help:"The site file, for its lines, devices and own profiles." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path"`
}

// site returns the site file, or nil when none is given.
func (f siteFlag) site() (*config.Config, error) {
	if f.Config == "" {
		return nil, nil
	}
	return config.Load(f.Config)
}

// profiles returns the profiles that are known: those of the site, or the built-in ones.
func profiles(cfg *config.Config) (map[string]profile.Profile, error) {
	if cfg != nil {
		return cfg.Profiles, nil
	}
	builtIn, err := config.BuiltIn("demo")
	if err != nil {
		return nil, err
	}
	return builtIn.Profiles, nil
}

// place is a line as a command names it.
type place struct {
	name   string // as it was named
	config *devices.LineConfig
	serial *devices.SerialConfig // one of these two
	tcp    *devices.TCPConfig
	site   *config.Config // nil without a site file
}

// findPlace reads the name of a line: its id in the site file, the path of a port or
// the address of a socket.
func findPlace(name string, cfg *config.Config) (place, error) {
	p := place{name: name, site: cfg}
	var ids []string
	if cfg != nil {
		for _, l := range cfg.Lines {
			ids = append(ids, l.ID)
			if l.ID == name {
				p.config, p.serial, p.tcp = &l, l.Serial, l.TCP
				return p, nil
			}
		}
	}
	if address, ok := socketAddress(name); ok {
		p.tcp = &devices.TCPConfig{Address: address}
		return p, nil
	}
	if strings.ContainsRune(name, os.PathSeparator) {
		p.serial = &devices.SerialConfig{Port: name}
		return p, nil
	}
	cure := "write the path of a port, as /dev/ttyUSB0, or an address, as 192.168.1.50:502"
	if cfg == nil {
		return place{}, fmt.Errorf("%q is no port and no address: %s; the id of a line needs --config", name, cure)
	}
	return place{}, fmt.Errorf("the site has no line %q, it has %v; otherwise %s", name, ids, cure)
}

func socketAddress(name string) (string, bool) {
	name = strings.TrimPrefix(name, "tcp://")
	host, port, err := net.SplitHostPort(name)
	if err != nil || host == "" || strings.ContainsRune(name, os.PathSeparator) {
		return "", false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", false
	}
	return name, true
}

// setting returns how the port of the configuration is set; false for a socket.
func (p place) setting() (scan.Setting, bool) {
	if p.serial == nil {
		return scan.Setting{}, false
	}
	s := p.serial.WithDefaults()
	return scan.Setting{Baud: s.Baud, Parity: s.Parity, DataBits: s.DataBits, StopBits: s.StopBits}, true
}

// open opens the line with a setting, which a socket does not need.
func (p place) open(ctx context.Context, s scan.Setting) (scan.Conn, error) {
	if p.serial == nil {
		if p.tcp.Address == "" {
			return nil, fmt.Errorf("%s is a line on which the box dials in: only the gateway can speak on it; use gengfu trace", p.name)
		}
		return line.DialTCP(ctx, line.TCP{Address: p.tcp.Address})
	}
	port := *p.serial
	port.Baud, port.Parity, port.DataBits, port.StopBits = s.Baud, s.Parity, s.DataBits, s.StopBits
	conn, err := line.OpenSerial(ctx, port)
	if err != nil {
		return nil, portCure(p.serial.Port, err)
	}
	return conn, nil
}

// portCure adds to an error what to do about it.
func portCure(port string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: is the adapter plugged in? \"ls -l /dev/serial/by-id\" shows those that are", err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: add the user to the port's group with \"sudo usermod -aG dialout $USER\" and sign in again", err)
	case errors.Is(err, line.ErrBusy):
		return fmt.Errorf("%w: stop the gateway, or look at its line with \"gengfu trace\"; \"gengfu doctor %s\" says who has it", err, port)
	}
	return err
}

// deviceAt returns the device of the site at an address of the line.
func (p place) deviceAt(protocol sniff.Protocol, address string) (devices.DeviceConfig, *profile.Profile) {
	if p.site == nil || p.config == nil {
		return devices.DeviceConfig{}, nil
	}
	for _, d := range p.site.File.Devices {
		model, ok := p.site.Profiles[d.Profile]
		if d.Line == p.config.ID && ok && speaks(model, protocol) && sameAddress(string(d.Address), address) {
			return d, &model
		}
	}
	return devices.DeviceConfig{}, nil
}

func speaks(p profile.Profile, protocol sniff.Protocol) bool {
	if protocol.Modbus() {
		return p.Language() == profile.Modbus
	}
	return string(p.Language()) == string(protocol)
}

// sameAddress compares addresses whose leading zeros may be left out.
func sameAddress(a, b string) bool {
	return strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0")
}

// addresses reads "1-32,40".
func addresses(s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.Atoi(low)
		to := from
		if ranged && err == nil {
			to, err = strconv.Atoi(high)
		}
		if err != nil || from < 0 || to > 255 || from > to {
			return nil, fmt.Errorf("--address %s: write numbers of 0 to 255, as 1-32,40", s)
		}
		for a := from; a <= to; a++ {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// framings reads --parity: none, even, odd, or 8N1 and the like.
func framings(given []string) ([]string, error) {
	var out []string
	for _, g := range given {
		words := map[string]string{"none": "8N1", "even": "8E1", "odd": "8O1"}
		f := strings.ToUpper(g)
		if w, ok := words[strings.ToLower(g)]; ok {
			f = w
		}
		if !slices.Contains(scan.Framings(), f) {
			return nil, fmt.Errorf("--parity %s: write none, even, odd, or one of %s", g, strings.Join(scan.Framings(), ", "))
		}
		out = append(out, f)
	}
	return out, nil
}

// portFlags are the settings of a port that is named without a site file.
type portFlags struct {
	Baud   int    `help:"Baud rate of the port." placeholder:"RATE"`
	Parity string `help:"Parity: none, even, odd, or as 8N1." placeholder:"P"`
}

// apply overrides the settings of the line.
func (f portFlags) apply(p *place) (scan.Setting, error) {
	s, ok := p.setting()
	if !ok {
		if f.Baud != 0 || f.Parity != "" {
			return s, fmt.Errorf("%s is a socket: baud rate and parity are set in the box behind it", p.name)
		}
		return s, nil
	}
	if f.Baud != 0 {
		s.Baud = f.Baud
	}
	if f.Parity != "" {
		frames, err := framings([]string{f.Parity})
		if err != nil {
			return s, err
		}
		parsed := scan.ParseFraming(frames[0])
		s.Parity, s.DataBits, s.StopBits = parsed.Parity, parsed.DataBits, parsed.StopBits
	}
	return s, nil
}

// terminal reports whether a person looks at it.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// paint colours a text on a terminal, unless NO_COLOR asks not to.
func (c *console) paint(colour, s string) string {
	if !terminal(c.out) || os.Getenv("NO_COLOR") != "" {
		return s
	}
	codes := map[string]string{"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}
	return "\x1b[" + codes[colour] + "m" + s + "\x1b[0m"
}

// printJSON prints one object, indented for the people who look at it too.
func (c *console) printJSON(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// lineJSON prints one object in one line.
func (c *console) lineJSON(v any) error { return json.NewEncoder(c.out).Encode(v) }

// number writes a value as people read it.
func number(v sniff.Value) string {
	if v.Number == nil {
		if v.Text != "" {
			return v.Text
		}
		return "–"
	}
	if v.Decimals < 0 {
		bits := 64
		if float64(float32(*v.Number)) == *v.Number {
			bits = 32 // it came as one: 0.94, and not 0.9399999976158142
		}
		return strconv.FormatFloat(*v.Number, 'g', -1, bits)
	}
	return fmt.Sprintf("%.*f", v.Decimals, *v.Number)
}

// short writes values in a line.
func short(values []sniff.Value) string {
	const most = 6
	var said []string
	for _, v := range values[:min(len(values), most)] {
		s := v.Quantity + " " + strings.TrimSpace(number(v)+" "+v.Unit)
		if v.Quality != facility.Good {
			s += " (" + strings.TrimSpace(v.Quality.String()+" "+string(v.Reason)) + ")"
		}
		said = append(said, s)
	}
	if len(values) > most {
		said = append(said, fmt.Sprintf("and %d more", len(values)-most))
	}
	return strings.Join(said, ", ")
}

// bilingual writes a text in both languages, where they differ.
func bilingual(t facility.Text) string {
	zh, en := t.In("zh"), t.In("en")
	if zh == en {
		return zh
	}
	return zh + " · " + en
}
