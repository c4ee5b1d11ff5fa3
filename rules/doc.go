// Package rules judges readings: it holds one instance of each rule for each
// device that the rule selects, and says when an alarm is raised, clears, recurs
// or is not known any more. It never reads a clock, does input or output, or
// starts a goroutine, so that a replay of the same facts gives the same alarms.
package rules
