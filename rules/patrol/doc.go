// Package patrol makes the rounds that plans ask for and judges the taps of
// guards against them. It never reads a clock, does input or output, or starts a
// goroutine.
package patrol
