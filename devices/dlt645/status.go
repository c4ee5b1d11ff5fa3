package dlt645

// Flag is one bit, or two, of a run-status word.
type Flag struct {
	Name   string
	Shift  int // of its lowest bit
	Bits   int // 1 or 2
	Alarm  bool
	States []string // the words for its values; nil when 1 says what the name says
}

// Of returns the value of the flag in its word.
func (f Flag) Of(word uint16) int { return int(word >> f.Shift & (1<<f.Bits - 1)) }

// Flags returns the flags of a run-status word, 1 to 7, the lowest bit first; none
// for another. Bits that the standard keeps for later are left out. The relay of
// word 3 is DL/T 645-2007; what stands above it there and the magnetic field of word
// 1 are extensions of the State Grid.
func Flags(word int) []Flag {
	switch word {
	case 1:
		return []Flag{
			{Name: "demand_mode", Shift: 1, Bits: 1, States: []string{"slip", "block"}},
			alarm("clock_battery_low", 2), alarm("meter_battery_low", 3),
			alarm("active_power_reverse", 4), alarm("reactive_power_reverse", 5), alarm("magnetic_field", 6),
		}
	case 2:
		return []Flag{
			alarm("active_power_reverse_a", 0), alarm("active_power_reverse_b", 1), alarm("active_power_reverse_c", 2),
			alarm("reactive_power_reverse_a", 4), alarm("reactive_power_reverse_b", 5), alarm("reactive_power_reverse_c", 6),
		}
	case 3:
		return runFlags()
	case 4, 5, 6:
		return phaseFlags(phases()[word-4])
	case 7:
		return []Flag{
			alarm("voltage_sequence", 0), alarm("current_sequence", 1), alarm("voltage_unbalance", 2),
			alarm("current_unbalance", 3), alarm("auxiliary_power_lost", 4), alarm("power_lost", 5),
			alarm("demand_exceeded", 6), alarm("power_factor_low", 7), alarm("current_unbalance_severe", 8),
		}
	}
	return nil
}

func alarm(name string, bit int) Flag { return Flag{Name: name, Shift: bit, Bits: 1, Alarm: true} }

func runFlags() []Flag {
	return []Flag{
		{Name: "time_slot_set", Shift: 0, Bits: 1, States: []string{"first", "second"}},
		{Name: "supply", Shift: 1, Bits: 2, States: []string{"mains", "auxiliary", "battery", "reserved"}},
		{Name: "programming_allowed", Shift: 3, Bits: 1},
		{Name: "relay", Shift: 4, Bits: 1, States: []string{"closed", "open"}},
		{Name: "time_zone_set", Shift: 5, Bits: 1, States: []string{"first", "second"}},
		{Name: "relay_command", Shift: 6, Bits: 1, States: []string{"close", "open"}},
		alarm("trip_warning", 7),
		{Name: "prepaid", Shift: 8, Bits: 2, States: []string{"no", "energy", "money", "reserved"}},
		{Name: "tariff_set", Shift: 10, Bits: 1, States: []string{"first", "second"}},
		{Name: "step_set", Shift: 11, Bits: 1, States: []string{"first", "second"}},
	}
}

func phaseFlags(phase string) []Flag {
	names := []string{
		"voltage_lost", "undervoltage", "overvoltage", "current_lost", "overcurrent",
		"overload", "reverse", "phase_broken", "current_broken",
	}
	flags := make([]Flag, len(names))
	for i, name := range names {
		flags[i] = alarm(name+phase, i)
	}
	return flags
}
