package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os/user"
	"strconv"
	"strings"

	"gengfu/devices"
	"gengfu/devices/profile"
	"gengfu/facility"
	"gengfu/gateway/config"
)

type writeCommand struct {
	Device   string `arg:"" help:"Id of the device in the site file."`
	Quantity string `arg:"" help:"What to write: a quantity that its profile has as writable."`
	Value    string `arg:"" help:"A number in the unit of the quantity, on or off, or one of its labels."`
	Config   string `help:"The site file." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path" required:""`
	Yes      bool   `help:"Do not ask; for programs."`
	JSON     bool   `help:"Print JSON, for programs; needs --yes."`
}

// errNotWritten says that the one who was asked did not say yes.
var errNotWritten = errors.New("nothing was written")

func (cmd writeCommand) Run(c *console) error {
	if cmd.JSON && !cmd.Yes {
		return errors.New("--json needs --yes: a program cannot be asked")
	}
	cfg, err := config.Load(cmd.Config)
	if err != nil {
		return err
	}
	device, line, err := findDevice(cfg, cmd.Device)
	if err != nil {
		return err
	}
	model := cfg.Profiles[device.Profile]
	point, _ := model.Point(cmd.Quantity)
	value, err := valueFor(point, cmd.Value)
	if err != nil {
		return err
	}
	if err := devices.CheckWrite(device, model, cmd.Quantity, value); err != nil {
		return err
	}
	if strings.Trim(string(device.Address), "0") == "" {
		return fmt.Errorf("%s has the address 0, to which all slaves listen and none answers: nothing is written to all at once", cmd.Device)
	}
	before, err := readPoint(c.ctx, line, device, model, cmd.Quantity)
	if err != nil {
		return openCure(line, err)
	}
	if !cmd.JSON {
		fmt.Fprintf(c.out, "%s/%s  %s\n  %s → %s\n", device.ID, point.ID, bilingual(point.Name), shown(point, before), shown(point, facility.Reading{Value: value, Quality: facility.Good}))
	}
	if err := cmd.agreed(c); err != nil {
		return err
	}
	was, after, frames, err := devices.WriteOnce(c.ctx, line, device, model, cmd.Quantity, value)
	log := c.log.With("device", device.ID, "quantity", cmd.Quantity, "value", value, "by", operator())
	if err != nil {
		log.Warn("not written, or not known to be", "error", err)
	} else {
		log.Info("written", "before", was.Value, "after", after.Value)
	}
	if cmd.JSON {
		return errors.Join(cmd.printJSON(c, point, was, after, frames, err), err)
	}
	if err != nil {
		return openCure(line, err)
	}
	_, err = fmt.Fprintf(c.out, "written, and read back: %s\n", shown(point, after))
	return err
}

// agreed asks the one who types.
func (cmd writeCommand) agreed(c *console) error {
	if cmd.Yes {
		return nil
	}
	fmt.Fprint(c.out, "This changes the device. Type yes to write: ")
	answer, err := bufio.NewReader(io.LimitReader(c.in, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		fmt.Fprintln(c.out)
		return errNotWritten
	}
	return nil
}

// readPoint reads one quantity of a device.
func readPoint(ctx context.Context, l devices.LineConfig, d devices.DeviceConfig, p profile.Profile, quantity string) (facility.Reading, error) {
	pt, _ := p.Point(quantity)
	p.Points = []profile.Point{pt}
	readings, _, err := devices.ReadOnce(ctx, l, d, p)
	if err != nil {
		return facility.Reading{}, err
	}
	if readings[0].Quality == facility.Bad && readings[0].Reason != facility.OutOfRange && readings[0].Reason != facility.SensorFault {
		return facility.Reading{}, fmt.Errorf("read %s/%s before it is written: %s", d.ID, quantity, readings[0].Reason)
	}
	return readings[0], nil
}

// openCure adds what to do when the line of a site cannot be opened.
func openCure(l devices.LineConfig, err error) error {
	if l.Serial == nil {
		return err
	}
	return portCure(l.Serial.Port, err)
}

// valueFor reads a value: a number, on or off of a bit, or a label in either language.
func valueFor(pt profile.Point, s string) (float64, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v, nil
	}
	word := strings.ToLower(s)
	if pt.Binary() {
		switch word {
		case "on", "true", "yes", "开":
			return 1, nil
		case "off", "false", "no", "关":
			return 0, nil
		}
	}
	for v, label := range pt.Labels {
		if strings.EqualFold(label.In("zh"), s) || strings.EqualFold(label.In("en"), s) {
			return float64(v), nil
		}
	}
	return 0, fmt.Errorf("%q is no value: write a number, on or off, or one of the labels of the profile", s)
}

// shown is a reading with unit and label.
func shown(pt profile.Point, r facility.Reading) string {
	if r.Quality == facility.Bad {
		return "– (" + string(r.Reason) + ")"
	}
	s := strings.TrimSpace(fmt.Sprintf("%.*f %s", pt.Decimals, r.Value, pt.Unit))
	if label, ok := pt.Labels[int(r.Value)]; ok {
		s += " " + bilingual(label)
	}
	return s
}

// operator is the user of the machine, for the log.
func operator() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

func (cmd writeCommand) printJSON(c *console, pt profile.Point, before, after facility.Reading, frames []devices.RawFrame, failed error) error {
	value := func(r facility.Reading) *float64 {
		if r.Quality == facility.Bad {
			return nil
		}
		return &r.Value
	}
	out := struct {
		Point   string      `json:"point"`
		Unit    string      `json:"unit,omitempty"`
		Before  *float64    `json:"before"`
		After   *float64    `json:"after"`
		Written bool        `json:"written"`
		Frames  []jsonFrame `json:"frames"`
		Error   string      `json:"error,omitempty"`
	}{Point: cmd.Device + "/" + cmd.Quantity, Unit: pt.Unit, Before: value(before), After: value(after), Written: failed == nil, Frames: jsonFrames(frames)}
	if failed != nil {
		out.Error = failed.Error()
	}
	return c.printJSON(out)
}
