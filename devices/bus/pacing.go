package bus

// pacing knows whether the bytes of a line take the time that its baud rate says.
// A virtual serial port, or a serial server whose rate is configured wrong, hands
// replies over sooner; to refuse them for that would be to refuse all. The zero
// value does not know yet, and refuses nothing.
type pacing struct {
	honest bool // replies take their time
	run    int  // exchanges in a row that say otherwise
}

// After so many exchanges in a row that say otherwise it is believed.
const (
	onTimeToTrust = 16
	earlyToDoubt  = 3
)

// doubts reports whether a frame that matches is none, because it came too soon.
func (p *pacing) doubts(tooSoon bool) bool { return p.honest && tooSoon }

// refuses is doubts, and learns from the frame.
func (p *pacing) refuses(tooSoon bool) bool {
	switch {
	case p.doubts(tooSoon):
		return true
	case p.honest || tooSoon:
		p.run = 0
	default:
		p.turn(onTimeToTrust)
	}
	return false
}

// failed says that an exchange ended without a reply; early, that there was only
// one that came too soon.
func (p *pacing) failed(early bool) {
	if p.honest && early {
		p.turn(earlyToDoubt)
	}
}

// turn counts what says otherwise, and believes it after so many.
func (p *pacing) turn(after int) {
	if p.run++; p.run == after {
		p.honest, p.run = !p.honest, 0
	}
}
