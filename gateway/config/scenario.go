package config

import (
	"os"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/scenario"
)

// Scenarios is a file of scenarios with its text, so that what is wrong with it can be
// shown where it stands.
type Scenarios struct {
	scenario.File
	doc *document
}

// LoadScenarios reads a file of scenarios. The error is a Report when the file could be
// read.
func LoadScenarios(path string) (*Scenarios, error) {
	data, err := os.ReadFile(path) // the path is the user's
	if err != nil {
		return nil, err
	}
	var s Scenarios
	doc, report := decode(path, data, &s.File)
	if len(report) > 0 {
		return nil, report
	}
	s.doc = doc
	return &s, nil
}

// Find says where in the file the problems stand.
func (s *Scenarios) Find(problems []facility.Problem) Report { return s.doc.find(problems) }

// World is what scenarios are played in: the rules, devices and profiles of the site.
func (c *Config) World() scenario.World {
	return scenario.World{
		Rules: c.Rules, Estate: c.Estate, Options: c.RuleOptions(),
		Profile: func(id, device string) (facility.Device, bool) {
			p, ok := c.Profiles[id]
			if !ok {
				return facility.Device{}, false
			}
			return facility.Device{ID: device, Kind: p.Kind, Points: p.FacilityPoints(device)}, true
		},
	}
}

// RuleOptions are those that the gateway compiles its rules with.
func (c *Config) RuleOptions() []rules.Option {
	return []rules.Option{rules.WithDetectors(rules.Learners(c.Estate.Site.Zone)), rules.WithLife(c.Alarms.Life())}
}

// LoadRules reads a file of rules and checks it against the site, whether or not the
// site names it. The error is a Report when the file could be read.
func LoadRules(path string, c *Config) ([]rules.Rule, error) {
	data, err := os.ReadFile(path) // the path is the user's
	if err != nil {
		return nil, err
	}
	var file rules.File
	doc, report := decode(path, data, &file)
	if len(report) > 0 {
		return nil, report
	}
	if _, problems := rules.Compile(file.Rules, c.Estate, c.RuleOptions()...); problems != nil {
		return nil, doc.find(problems)
	}
	return file.Rules, nil
}
