package mbus

import "slices"

// Units returns the units in which records of a quantity come, as "kWh" and "GJ"
// of an energy; it is empty for a quantity that is not known, and for those whose
// records are texts or times.
func Units(quantity string) []string {
	var units []string
	see := func(v valueInfo) {
		number := v.as == asNumber || v.as == asBits
		if number && v.quantity == quantity && !slices.Contains(units, v.unit) {
			units = append(units, v.unit)
		}
	}
	for code := range byte(extended) {
		if code != vifFB && code != vifFD && code != vifText && code != vifMaker {
			see(primary(code))
		}
		see(lookup(vifFB, code))
		see(lookup(vifFD, code))
	}
	return units
}
