package dlt645

// The identifiers of DL/T 645-1997, annex A, that estates need: energies of this
// and the last month, what flows now, and the clock. The last half byte is the
// tariff or phase, F for all.

const block1997 = 0x0F

// most1997 is the highest number of a tariff.
const most1997 = 14

func lookup1997(code uint16) (Item, bool) {
	element := byte(code & 0x0F)
	switch code >> 8 {
	case 0x90, 0x91:
		return energy1997(code, element, "")
	case 0x94, 0x95:
		return energy1997(code-0x0400, element, "_settled_1")
	case 0xB6:
		return instant1997(code, element)
	}
	switch code {
	case 0xC010:
		return single("clock_date", Date, 4, 0, ""), true
	case 0xC011:
		return single("clock_time", TimeOfDay, 3, 0, "s"), true
	case 0xC032:
		return single("meter_number", Digits, 6, 0, ""), true
	}
	return Item{}, false
}

func energy1997(code uint16, element byte, period string) (Item, bool) {
	var name string
	unit := "kvarh"
	switch code & 0xFFF0 {
	case 0x9010:
		name, unit = "forward_active_energy", "kWh"
	case 0x9020:
		name, unit = "reverse_active_energy", "kWh"
	case 0x9110:
		name = "forward_reactive_energy"
	case 0x9120:
		name = "reverse_reactive_energy"
	case 0x9130:
		name = "reactive_energy_q1"
	case 0x9140:
		name = "reactive_energy_q4"
	case 0x9150:
		name = "reactive_energy_q2"
	case 0x9160:
		name = "reactive_energy_q3"
	default:
		return Item{}, false
	}
	return single(name+period, Number, 4, 2, unit).element(element, 0, block1997, tariffs(most1997))
}

func instant1997(code uint16, element byte) (Item, bool) {
	var it Item
	first, names := byte(0), totalAndPhases()
	switch code & 0xFFF0 {
	case 0xB610:
		it, first, names = single("voltage", Number, 2, 0, "V"), 1, phases()
	case 0xB620:
		it, first, names = single("current", Number, 2, 2, "A"), 1, phases()
	case 0xB630:
		it = single("active_power", Number, 3, 4, "kW")
	case 0xB640:
		it = single("reactive_power", Number, 2, 2, "kvar")
	case 0xB650:
		it = single("power_factor", Number, 2, 3, "")
	default:
		return Item{}, false
	}
	return it.element(element, first, block1997, names)
}
