package payload

import "bytes"

// nameLabel is the label that every fact and every header has once. Within a string its
// quotes would stand behind a backslash.
var nameLabel = []byte(`"n":`)

// Facts is how many readings and taps are in a batch, without reading it.
func Facts(batch []byte) int { return bytes.Count(batch, nameLabel) }

// FactsWrapped is how many are in a payload.
func FactsWrapped(b []byte) int { return max(0, Facts(b)-1) }
