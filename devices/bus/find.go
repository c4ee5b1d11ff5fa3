package bus

import "gengfu/devices/framing"

// Finder returns the Find of an Ask for the frames that the probe knows: the reply
// is the first one that is mine. It may be asked about the same frame again.
func Finder[F any](probe framing.Probe[F], mine func(F) bool) func(received []byte) Found {
	return func(received []byte) Found {
		r := framing.NewReader(probe)
		for _, f := range r.Feed(received) {
			if mine(f) {
				return Found{Frame: received}
			}
		}
		return Found{Missing: r.Missing(), Corrupt: r.Spoilt() > 0}
	}
}
