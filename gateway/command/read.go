package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"gengfu/devices"
	"gengfu/facility"
	"gengfu/gateway/config"
)

type readCommand struct {
	Device string `arg:"" help:"Id of the device in the site file."`
	Config string `help:"The site file." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path" required:""`
	JSON   bool   `help:"Print JSON, for programs."`
	Raw    bool   `help:"Show the frames as well." negatable:"" default:"true"`
}

func (cmd readCommand) Run(c *console) error {
	cfg, err := config.Load(cmd.Config)
	if err != nil {
		return err
	}
	device, line, err := findDevice(cfg, cmd.Device)
	if err != nil {
		return err
	}
	readings, frames, err := devices.ReadOnce(c.ctx, line, device, cfg.Profiles[device.Profile])
	if err == nil {
		err = worth(readings)
	}
	if cmd.JSON {
		return cmd.printJSON(c, readings, frames, err)
	}
	if cmd.Raw {
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
	cmd.printTable(c, cfg, readings)
	if err != nil {
		return fmt.Errorf("read %s: %w", cmd.Device, err)
	}
	return nil
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

func (cmd readCommand) printTable(c *console, cfg *config.Config, readings []facility.Reading) {
	points := map[facility.PointID]facility.Point{}
	for _, d := range cfg.Estate.Devices {
		for _, p := range d.Points {
			points[p.ID] = p
		}
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, r := range readings {
		p := points[r.Point]
		value := fmt.Sprintf("%.*f", p.Decimals, r.Value)
		if label, ok := p.Labels[int(r.Value)]; ok {
			value += " " + bilingual(label)
		}
		if r.Quality == facility.Bad {
			value = "–"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s\n", r.Point.Quantity, value, r.Unit, r.Quality, r.Reason, bilingual(p.Name))
	}
	_ = w.Flush() // an error of the console has no other place to go to
}

func (cmd readCommand) printJSON(c *console, readings []facility.Reading, frames []devices.RawFrame, failed error) error {
	type frame struct {
		Request string `json:"request"`
		Reply   string `json:"reply,omitempty"`
		Took    string `json:"took"`
		Error   string `json:"error,omitempty"`
	}
	type reading struct {
		Point   facility.PointID `json:"point"`
		Time    time.Time        `json:"time"`
		Value   *float64         `json:"value"`
		Unit    string           `json:"unit,omitempty"`
		Quality facility.Quality `json:"quality"`
		Reason  facility.Reason  `json:"reason,omitempty"`
	}
	out := struct {
		Readings []reading `json:"readings"`
		Frames   []frame   `json:"frames"`
		Error    string    `json:"error,omitempty"`
	}{Readings: []reading{}, Frames: []frame{}}
	for _, r := range readings {
		j := reading{Point: r.Point, Time: r.Time, Unit: r.Unit, Quality: r.Quality, Reason: r.Reason}
		if r.Quality != facility.Bad {
			j.Value = &r.Value
		}
		out.Readings = append(out.Readings, j)
	}
	for _, f := range frames {
		j := frame{Request: fmt.Sprintf("%X", f.Request), Reply: fmt.Sprintf("%X", f.Reply), Took: f.Took.String()}
		if f.Err != nil {
			j.Error = f.Err.Error()
		}
		out.Frames = append(out.Frames, j)
	}
	if failed != nil {
		out.Error = failed.Error()
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("read %s: %w", cmd.Device, failed)
	}
	return nil
}

// bilingual writes a text in both languages, where they differ.
func bilingual(t facility.Text) string {
	zh, en := t.In("zh"), t.In("en")
	if zh == en {
		return zh
	}
	return zh + " · " + en
}
