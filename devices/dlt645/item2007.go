package dlt645

import "fmt"

// The identifiers of DL/T 645-2007, annex A. The four bytes are the class, the
// quantity, the tariff or phase, and the period.

const block2007 = 0xFF

// most2007 is the highest number of a tariff.
const most2007 = 63

func lookup2007(code uint32) (Item, bool) {
	class, quantity, element, period := byte(code>>24), byte(code>>16), byte(code>>8), byte(code)
	switch class {
	case 0x00:
		return energy2007(quantity, element, period)
	case 0x01:
		return demand2007(quantity, element, period)
	case 0x02:
		return instant2007(quantity, element, period)
	}
	return other2007(code)
}

// settled names the period: 0 is now, 1 to 12 the settlement days before.
func settled(it Item, period byte) (Item, bool) {
	if period > 12 {
		return Item{}, false
	}
	if period > 0 {
		it.Name += fmt.Sprintf("_settled_%d", period)
	}
	return it, true
}

func energy2007(quantity, element, period byte) (Item, bool) {
	var it Item
	switch quantity {
	case 0x00:
		it = single("active_energy", Signed, 4, 2, "kWh")
	case 0x01:
		it = single("forward_active_energy", Number, 4, 2, "kWh")
	case 0x02:
		it = single("reverse_active_energy", Number, 4, 2, "kWh")
	case 0x03, 0x04:
		it = single(fmt.Sprintf("reactive_energy_%d", quantity-2), Signed, 4, 2, "kvarh")
	case 0x05, 0x06, 0x07, 0x08:
		it = single(fmt.Sprintf("reactive_energy_q%d", quantity-4), Number, 4, 2, "kvarh")
	case 0x09:
		it = single("forward_apparent_energy", Number, 4, 2, "kVAh")
	case 0x0A:
		it = single("reverse_apparent_energy", Number, 4, 2, "kVAh")
	default:
		return phaseEnergy2007(quantity, element, period)
	}
	it, ok := settled(it, period)
	if !ok {
		return Item{}, false
	}
	return it.element(element, 0, block2007, tariffs(most2007))
}

// phaseEnergy2007 has the energies of one phase, which have no tariffs.
func phaseEnergy2007(quantity, element, period byte) (Item, bool) {
	const forward, reverse = 0x15, 0x16
	for i, phase := range phases() {
		name := ""
		switch quantity - byte(i)*0x14 {
		case forward:
			name = "forward_active_energy" + phase
		case reverse:
			name = "reverse_active_energy" + phase
		}
		if name != "" && element == 0 {
			return settled(single(name, Number, 4, 2, "kWh"), period)
		}
	}
	return Item{}, false
}

func demand2007(quantity, element, period byte) (Item, bool) {
	var it Item
	switch quantity {
	case 0x01:
		it = demand("forward_active_demand", Number, "kW")
	case 0x02:
		it = demand("reverse_active_demand", Number, "kW")
	case 0x03, 0x04:
		it = demand(fmt.Sprintf("reactive_demand_%d", quantity-2), Signed, "kvar")
	case 0x05, 0x06, 0x07, 0x08:
		it = demand(fmt.Sprintf("reactive_demand_q%d", quantity-4), Number, "kvar")
	default:
		return Item{}, false
	}
	it, ok := settled(it, period)
	if !ok {
		return Item{}, false
	}
	return it.element(element, 0, block2007, tariffs(most2007))
}

func instant2007(quantity, element, last byte) (Item, bool) {
	if quantity == 0x80 && element == 0 {
		return variable2007(last)
	}
	if last != 0 {
		return Item{}, false
	}
	var it Item
	first, names := byte(0), totalAndPhases()
	switch quantity {
	case 0x01:
		it, first, names = single("voltage", Number, 2, 1, "V"), 1, phases()
	case 0x02:
		it, first, names = single("current", Signed, 3, 3, "A"), 1, phases()
	case 0x03:
		it = single("active_power", Signed, 3, 4, "kW")
	case 0x04:
		it = single("reactive_power", Signed, 3, 4, "kvar")
	case 0x05:
		it = single("apparent_power", Signed, 3, 4, "kVA")
	case 0x06:
		it = single("power_factor", Signed, 2, 3, "")
	case 0x07:
		it, first, names = single("phase_angle", Number, 2, 1, "deg"), 1, phases()
	default:
		return Item{}, false
	}
	return it.element(element, first, block2007, names)
}

func variable2007(code byte) (Item, bool) {
	switch code {
	case 0x01:
		return single("neutral_current", Signed, 3, 3, "A"), true
	case 0x02:
		return single("frequency", Number, 2, 2, "Hz"), true
	case 0x03:
		return single("mean_active_power", Signed, 3, 4, "kW"), true
	case 0x04:
		return single("present_active_demand", Signed, 3, 4, "kW"), true
	case 0x07:
		return single("temperature", Signed, 2, 1, "Cel"), true
	case 0x08:
		return single("clock_battery_voltage", Number, 2, 2, "V"), true
	case 0x09:
		return single("meter_battery_voltage", Number, 2, 2, "V"), true
	case 0x0A:
		return single("battery_time", Number, 4, 0, "min"), true
	}
	return Item{}, false
}

// statusWords2007 is the number of run-status words.
const statusWords2007 = 7

func other2007(code uint32) (Item, bool) {
	switch code {
	case 0x03110000:
		return single("power_off_count", Number, 3, 0, ""), true
	case 0x03300000:
		return single("programming_count", Number, 3, 0, ""), true
	case 0x03300200:
		return single("demand_clear_count", Number, 3, 0, ""), true
	case 0x03300400:
		return single("time_set_count", Number, 3, 0, ""), true
	case 0x03300D00:
		return single("cover_open_count", Number, 3, 0, ""), true
	case 0x03300E00:
		return single("terminal_cover_open_count", Number, 3, 0, ""), true
	case 0x04000101:
		return single("clock_date", Date, 4, 0, ""), true
	case 0x04000102:
		return single("clock_time", TimeOfDay, 3, 0, "s"), true
	case 0x04000401:
		return single("address", Digits, 6, 0, ""), true
	case 0x04000402:
		return single("meter_number", Digits, 6, 0, ""), true
	case 0x0400040B:
		return single("model", Text, 10, 0, ""), true
	case 0x0400040D:
		return single("protocol_version", Text, 16, 0, ""), true
	case 0x1D000101:
		return single("last_trip", Stamp, 6, 0, ""), true
	case 0x1E000101:
		return single("last_close", Stamp, 6, 0, ""), true
	}
	return series2007(code)
}

// series2007 has the status words and the energies that are frozen daily.
func series2007(code uint32) (Item, bool) {
	last := byte(code)
	switch code & 0xFFFFFF00 {
	case 0x04000500:
		it := single("status_word", Word, 2, 0, "")
		names := make([]string, statusWords2007)
		for i := range names {
			names[i] = fmt.Sprintf("_%d", i+1)
		}
		return it.element(last, 1, block2007, names)
	case 0x05060100, 0x05060200:
		const most = 62
		if last == 0 || last > most {
			return Item{}, false
		}
		name := "forward_active_energy"
		if code&0xFF00 == 0x0200 {
			name = "reverse_active_energy"
		}
		it := single(fmt.Sprintf("%s_day_%d", name, last), Number, 4, 2, "kWh")
		it.Block = tariffs(most2007)
		return it, true
	}
	return Item{}, false
}
