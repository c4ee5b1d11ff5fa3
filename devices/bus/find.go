package bus

import "gengfu/devices/framing"

// Finder returns the Find of an Ask for the frames that the probe knows: the reply
// is the first one that is mine. It may be asked about the same frame again.
func Finder[F any](probe framing.Probe[F], mine func(F) bool) func(received []byte) Found {
	return func(received []byte) Found {
		var found Found
		for from := 0; from < len(received); {
			frame, s := probe(received[from:])
			switch s.Kind {
			case framing.Whole:
				if mine(frame) {
					return Found{Frame: received[from : from+s.Length]}
				}
				from += s.Length
				continue
			case framing.Begun:
				found.Missing = s.Length - (len(received) - from)
				return found
			case framing.Spoilt:
				found.Corrupt = true
			}
			from++
		}
		return found
	}
}
