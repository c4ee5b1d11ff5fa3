package doctor

import (
	"fmt"

	"gengfu/devices/dlt645"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
)

func code(o Observed) string {
	switch {
	case o.Protocol == sniff.DLT645:
		return dlt645.Refusal{Code: byte(o.Code)}.Error()
	case o.Protocol.Modbus():
		return modbus.Exception{Code: byte(o.Code)}.Error()
	}
	return fmt.Sprintf("code %02X", o.Code)
}

func cureOf(o Observed) string {
	if !o.Protocol.Modbus() {
		return "The meter has not what the profile asks for: choose the profile of its model, or one of another edition."
	}
	switch byte(o.Code) {
	case modbus.IllegalFunction:
		return "It does not know the function: the profile's table is another one (holding is 03, input 04), or the profile is that of another model."
	case modbus.IllegalAddress, modbus.IllegalValue:
		return "It does not have the registers that the profile asks for: it is another model; \"gengfu scan\" at this address names it."
	case modbus.PathUnavailable, modbus.TargetSilent:
		return "That is the gateway in between speaking: the device behind it does not answer. Look at the serial settings of the gateway and at the device's address."
	case modbus.Busy, modbus.Acknowledge:
		return "It is busy: write a longer gap at the device, or look whether another master asks it."
	}
	return "Look the code up in the manual of the device; those from 10 on are the maker's own."
}

// orders are the orders of bytes that models of 32 bits have.
func orders() []string { return []string{profile.ABCD, profile.CDAB, profile.BADC, profile.DCBA} }

// better is how much better another reading of the same registers must fit before it is
// proposed.
const better = 6

// judgeModel compares what the registers say by the profile with what they would say in
// another order of words, and with no plausible value at all.
func judgeModel(o Observed, did string) []Finding {
	if o.Model == nil || !o.Protocol.Modbus() || len(o.Answers) == 0 {
		return nil
	}
	as := scan.Fit(o.Answers, o.Model)
	best, order := as, ""
	for _, other := range orders() {
		if p, changed := inOrder(*o.Model, other); changed {
			if s := scan.Fit(o.Answers, &p); s > best+better {
				best, order = s, other
			}
		}
	}
	switch {
	case order != "":
		return []Finding{{
			Check: "order", Device: o.device(), Did: did + " and read its values in all orders of words", Severity: Wrong,
			Found: "the values make no sense by the profile, and do in the order " + order,
			Cure:  fmt.Sprintf("Copy the profile %s into the folder of your own profiles and write order: %s at its 32-bit points, or set the order in the device.", o.Model.ID, order),
		}}
	case as < 0:
		return []Finding{{
			Check: "model", Device: o.device(), Did: did + " and judged its values", Severity: Wrong,
			Found: "the values make no sense by the profile " + o.Model.ID,
			Cure:  "It is likely another model, or one with another map: \"gengfu scan\" at this address names it.",
		}}
	}
	return nil
}

// inOrder returns the model with its points of several registers in another order.
func inOrder(p profile.Profile, order string) (profile.Profile, bool) {
	points := make([]profile.Point, len(p.Points))
	changed := false
	for i, pt := range p.Points {
		if pt.Words() > 1 && pt.Order != order {
			pt.Order, changed = order, true
		}
		points[i] = pt
	}
	p.Points = points
	return p, changed
}
