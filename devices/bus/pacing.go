package bus

// pacing knows whether the bytes of a line take the time that its baud rate says.
// A virtual serial port, or a serial server whose rate is configured wrong, hands
// replies over sooner; to refuse them for that would be to refuse all.
type pacing struct {
	known bool
	fast  bool // replies come sooner than the wire would bring them
	run   int  // exchanges in a row that say otherwise
}

// After so many exchanges in a row that say otherwise it is believed.
const (
	onTimeToTrust = 16
	earlyToDoubt  = 3
)

// refuses reports whether a frame that matches is none, because it came too soon,
// and learns from it.
func (p *pacing) refuses(tooSoon bool) bool {
	switch {
	case !p.known:
		p.known, p.fast, p.run = true, tooSoon, 0
	case p.doubts(tooSoon):
		return true
	case !p.fast || tooSoon:
		p.run = 0
	default:
		if p.run++; p.run == onTimeToTrust {
			p.fast, p.run = false, 0
		}
	}
	return false
}

// doubts reports what refuses would, and learns nothing.
func (p *pacing) doubts(tooSoon bool) bool { return p.known && !p.fast && tooSoon }

// failed says that an exchange ended without a reply; early, that there was only
// one that came too soon.
func (p *pacing) failed(early bool) {
	if p.fast || !early {
		return
	}
	if p.run++; p.run == earlyToDoubt {
		p.fast, p.run = true, 0
	}
}
