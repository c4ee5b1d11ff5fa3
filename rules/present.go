package rules

import "gengfu/rules/lifecycle"

// Present returns the alarm of a key ("rule/device") as it is now, as a Change that
// changes nothing. It is false when no rule is for the device.
func (e *Engine) Present(key string) (Change, bool) {
	i := e.find(key)
	if i == nil {
		return Change{}, false
	}
	s := i.life()
	return Change{
		Alarm: i.shown(), From: s.Base, At: i.At.time(), Order: i.rule.orderPolicy(), Why: lifecycle.WhySilent, Was: s.Shown(), Shown: s.Shown(),
		Downs: i.rule.Downs, Safety: i.rule.Safety,
	}, true
}
