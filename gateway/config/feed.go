package config

import (
	"errors"
	"fmt"
	"slices"

	"gengfu/facility"
	"gengfu/rules/discipline"
)

// checkFeeds checks through what places, lines and devices are fed: depends_on names
// devices that exist, each once, and nothing feeds itself in a circle.
func (l *loader) checkFeeds() {
	c := l.config
	known := map[string]bool{}
	for _, d := range c.File.Devices {
		known[d.ID] = true
	}
	before := len(l.report)
	for i, p := range c.Places {
		l.checkFeed(fmt.Sprintf("places[%d].depends_on", i), p.DependsOn, known)
	}
	for i, line := range c.Lines {
		l.checkFeed(fmt.Sprintf("lines[%d].depends_on", i), line.DependsOn, known)
	}
	for i, d := range c.File.Devices {
		l.checkFeed(fmt.Sprintf("devices[%d].depends_on", i), d.DependsOn, known)
	}
	if len(l.report) > before {
		return
	}
	_, err := discipline.NewTopology(c.Estate)
	var circle *discipline.CircleError
	switch {
	case err == nil:
	case errors.As(err, &circle):
		at := slices.IndexFunc(c.Estate.Devices, func(d facility.Device) bool { return d.ID == circle.Device })
		l.bad(fmt.Sprintf("devices[%d].depends_on", at), fmt.Sprintf("Device %s is fed by itself, by way of others.", circle.Device), "Let power flow one way: name what stands before a device, never what stands behind it.")
	default:
		l.bad("devices", sentence(err.Error()), "Mend depends_on.")
	}
}

func (l *loader) checkFeed(at string, dependsOn []string, known map[string]bool) {
	for i, by := range dependsOn {
		here := fmt.Sprintf("%s[%d]", at, i)
		l.refers(here, by, "device", known)
		if slices.Contains(dependsOn[:i], by) {
			l.bad(here, fmt.Sprintf("Device %s stands twice.", by), "Keep one of the two.")
		}
		if by == "" {
			l.bad(here, "The device is missing.", "Name a device, or leave it out.")
		}
	}
}
