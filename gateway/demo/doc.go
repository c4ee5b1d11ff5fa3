// Package demo is the estate that "gengfu demo" shows: simulated devices that
// speak real bytes, driven by a small physical model, a guard who walks his
// rounds, and a panel to break things. The gateway reads it as it would read any
// site and knows nothing of it.
package demo
