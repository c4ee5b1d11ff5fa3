// Package rules judges readings: it holds one instance of each rule for each
// device that the rule selects, and says when an alarm is raised, clears, recurs
// or is not known any more. It never reads a clock, does input or output, or
// starts a goroutine, so that a replay of the same facts gives the same alarms.
//
// # From a reading to an alarm
//
// A reading goes to its point, and into what is kept of the point: windows, growth,
// nights, a detector. Each is kept once, however many rules ask for it. Then the
// instances that hang on the point are judged, and no others. A test (see kinds.go)
// says how the condition stands: true, false or unknown, see [Truth], with the value
// that it is about. What becomes of that (delays, the alarm, its life) the instance
// decides and nothing else.
//
// What time alone changes is judged at the instant at which it changes: a delay that
// runs out, a value that goes stale, held(x, 10m). What changes with the clock or by
// forgetting (hour, during, avg(x, 1h) without a reading) is looked at each whole
// minute. It does not matter when the engine is asked: [Engine.Advance] finds all of
// it, each at its own instant, and so does the next reading.
//
// # Late facts
//
// A fact is late when a newer one of its point is known already: a backlog after an
// outage, or what came twice. Facts of other points may be newer: that alone makes
// none late.
//
//   - A late reading is not judged. It raises nothing, clears nothing, and takes back
//     nothing that was said: changes of one alarm never go back in time.
//   - It fills windows, growth and the current night by its own time, as far as they
//     reach back and as it is good or uncertain. The next time that the condition is
//     judged, for a reading or for time alone, it is judged with them, and the
//     alarm changes then, at the time of then.
//   - What comes twice fills once: a slot of a window, a sixtieth of its length, takes
//     readings in the order of their times only. A reading that comes late into a slot
//     that holds a newer one is left out and shows in [Stats] as late and not filled.
//   - What needs the order goes by the order in which it became known, and late
//     readings are not shown to it: held, edges, delays, detectors, and the nights of
//     a counter, whose late steps are booked to the reading behind them.
//   - A reading that is older than the latest instant that is judged of a rule, but
//     not late for its own point, is judged as if it had come at that instant: an
//     urgent bit overtakes the telemetry beside it, and the alarm that needs both is
//     raised when both are known, not before.
//   - So is a backlog behind an instant that time alone judged: the point was found
//     stale, and then what it read before is heard. Each reading is judged with what
//     was known of points at its own time, so that an alarm counts each occurrence,
//     whether the network was up or not; the changes all bear the instant at which
//     the point was found stale. It is stale again then, if nothing newer comes.
//
// Live, test, replay and backtest give the same changes when they give the same
// facts, in the same order, and let time pass at the same places between them.
//
// # What is usual
//
// Learners (nights, detectors) learn from readings, but not from a fault: while the
// alarm of an instance stands whose condition asks them what is usual, that stays as it
// was. See reference.go. A balance with a silent sub-meter is known by its ends: see
// balance.go.
//
// # State
//
// [Engine.Snapshot] holds all that the engine remembers, [Engine.Save] what of it changed
// since it was kept; [Engine.Restore] goes on from there to the byte. So rules are
// swapped, too: [Engine.TakeOver] gives a new engine the state of the old one, for each
// rule on each device that judges as before, and for each window that is still asked for.
package rules
