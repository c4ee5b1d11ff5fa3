package demo

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/configs"
	"gengfu/devices"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// site is what configs/demo.yaml says of the field, with the profiles that its
// devices name. Whoever runs the gateway reads and checks the whole file.
type site struct {
	Site struct {
		TimeZone string `yaml:"time_zone"`
	} `yaml:"site"`
	Lines   []devices.LineConfig   `yaml:"lines"`
	Devices []devices.DeviceConfig `yaml:"devices"`
	Readers []devices.ReaderConfig `yaml:"readers"`
	Patrol  struct {
		Checkpoints []checkpoint `yaml:"checkpoints"`
		Plans       []struct {
			ID string `yaml:"id"`
		} `yaml:"plans"`
	} `yaml:"patrol"`

	zone     *time.Location
	profiles map[string]profile.Profile
}

type checkpoint struct {
	ID   string        `yaml:"id"`
	Name facility.Text `yaml:"name"`
}

func loadSite() (*site, error) {
	text, err := configs.FS.ReadFile("demo.yaml")
	if err != nil {
		return nil, fmt.Errorf("read the demo estate: %w", err)
	}
	s := &site{profiles: make(map[string]profile.Profile)}
	if err := yaml.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read the demo estate: %w", err)
	}
	if s.zone, err = time.LoadLocation(s.Site.TimeZone); err != nil {
		return nil, fmt.Errorf("read the demo estate: %w", err)
	}
	for _, d := range s.Devices {
		if err := s.loadProfile(d.Profile); err != nil {
			return nil, fmt.Errorf("read the profile of %s: %w", d.ID, err)
		}
	}
	return s, nil
}

func (s *site) loadProfile(id string) error {
	if _, ok := s.profiles[id]; ok {
		return nil
	}
	text, err := fs.ReadFile(configs.FS, path.Join("profiles", id+".yaml"))
	if err != nil {
		return err
	}
	var p profile.Profile
	if err := yaml.Unmarshal(text, &p); err != nil {
		return err
	}
	p.Defaults()
	s.profiles[id] = p
	return nil
}

func (s *site) model() Model { return Model{Seed: 20261122, Zone: s.zone} }

// readerAt returns the reader of that id, or at that checkpoint.
func (s *site) readerAt(id string) (devices.ReaderConfig, bool) {
	i := slices.IndexFunc(s.Readers, func(r devices.ReaderConfig) bool { return r.ID == id || r.Checkpoint == id })
	if i < 0 {
		return devices.ReaderConfig{}, false
	}
	return s.Readers[i], true
}

func (s *site) checkpointIDs() string {
	var ids []string
	for _, c := range s.Patrol.Checkpoints {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, ", ")
}
