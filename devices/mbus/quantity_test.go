package mbus_test

import (
	"slices"
	"testing"

	"gengfu/devices/mbus"
)

func TestUnits(t *testing.T) {
	for quantity, want := range map[string][]string{
		"energy":             {"kWh", "GJ"},
		"volume":             {"m3"},
		"operating_time":     {"s", "min", "h"},
		"supply_temperature": {"Cel"},
		"voltage":            {"V"},
		"error_flags":        {""},
		"vif_fd_3c":          {""},
		"fabrication_number": nil,
		"date":               nil,
		"joy":                nil,
	} {
		got := mbus.Units(quantity)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s comes in %q, want %q", quantity, got, want)
		}
	}
}
