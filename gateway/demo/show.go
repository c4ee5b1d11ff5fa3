package demo

// Bits of the fault word of the profile pump-controller.
const (
	faultBit  = 1 << 0
	dryRunBit = 1 << 3
)

// pumpIDs are the devices of the three pumps, in order.
var pumpIDs = [3]string{"pump-1", "pump-2", "pump-3"}

// show tells what each device of the estate displays, as put(device, quantity,
// value in the unit of its profile), always in the same order.
func show(s State, c Controls, put func(device, quantity string, value float64)) {
	for i, id := range pumpIDs {
		showPump(s, c, i, func(quantity string, value float64) { put(id, quantity, value) })
	}
	put("tank", "level", s.Level())

	showMeter := func(id string, flow, total, pipeArea float64) {
		put(id, "flow", flow)
		put(id, "velocity", flow/3600/pipeArea)
		put(id, "total", total)
	}
	showMeter("main-water", s.Flow, s.Supplied, 0.00785) // DN 100
	showMeter("water-a", s.FlowA, s.TotalA, 0.00503)     // DN 80
	showMeter("water-b", s.FlowB, s.TotalB, 0.00503)

	showSupply(s, s.Estate, func(quantity string, value float64) { put("main-power", quantity, value) })
	showSupply(s, s.PumpRoom, func(quantity string, value float64) { put("pump-power", quantity, value) })

	put("pump-room-inputs", "floor_water", bit(c.Flood))
	put("pump-room-inputs", "sump_high", bit(c.Flood))
	put("pump-room-inputs", "tank_overflow", bit(s.Level() > 2.9))
	put("pump-room-inputs", "tank_empty", bit(s.Level() < 0.5))
}

func showPump(s State, c Controls, i int, put func(quantity string, value float64)) {
	p := s.Pumps[i]
	word := c.Fault[i]
	if s.DryRun {
		word |= dryRunBit
	}
	duty := 2.0
	switch {
	case word != 0:
		duty = 0
	case i == s.Lead:
		duty = 1
	}
	put("fault_word", float64(word))
	put("running", bit(p.Running))
	put("ready", bit(word == 0))
	put("mode", 2)
	put("duty", duty)
	put("frequency", p.Frequency)
	put("current", p.Current)
	put("power", p.Power)
	put("outlet_pressure", s.Pressure)
	put("setpoint", setpoint)
	put("starts", float64(p.Starts))
	put("run_hours", p.Hours)
}

var phaseNames = [3]struct{ voltage, current, power string }{
	{"voltage_l1", "current_l1", "active_power_l1"},
	{"voltage_l2", "current_l2", "active_power_l2"},
	{"voltage_l3", "current_l3", "active_power_l3"},
}

func showSupply(s State, v Supply, put func(quantity string, value float64)) {
	for i, n := range phaseNames {
		put(n.voltage, v.Voltages[i])
		put(n.current, v.Currents[i])
		put(n.power, v.Phases[i])
	}
	put("active_power", v.Power)
	put("power_factor", powerFactor)
	put("frequency", s.Mains)
	put("energy_import", v.Energy)
	put("energy_total", v.Energy)
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
