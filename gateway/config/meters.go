package config

import (
	"fmt"

	"gengfu/facility"
	"gengfu/rules"
)

// checkMeters checks what stands with the devices for rules to ask: which meter is
// behind which, and what each device is rated for.
func (l *loader) checkMeters() {
	list := l.config.File.Devices
	known, parent := map[string]bool{}, map[string]string{}
	for _, d := range list {
		known[d.ID] = true
		parent[d.ID] = d.Parent
	}
	for i, d := range list {
		at := fmt.Sprintf("devices[%d]", i)
		l.refers(at+".parent", d.Parent, "device", known)
		if behindItself(d.ID, parent) {
			l.bad(at+".parent", fmt.Sprintf("Device %s is a sub-meter of itself, by way of others.", d.ID), "Name the meter before it: the main meter has no parent.")
		}
		l.add(facility.Under(at+".ratings", rules.CheckRatings(d.Ratings))...)
	}
}

// behindItself reports whether the way from a device to the main meter comes back to it.
func behindItself(id string, parent map[string]string) bool {
	at := parent[id]
	for range len(parent) {
		if at == "" || at == id {
			break
		}
		at = parent[at]
	}
	return at == id && id != ""
}
