// Package lifecycle is the life of an alarm by ANSI/ISA-18.2 and IEC 62682: its
// states, the holds that keep it quiet, and when people are to be told. It is values
// in, values out: it never reads a clock, judges a reading, stores or sends anything.
//
// A State belongs to an alarm's key (a rule on a device), not to one occurrence: an
// alarm that is normal can be shelved too. Its base state moves by the table in
// table.go, and by nothing else. Three holds stand beside it, each by itself: shelved,
// suppressed by design, out of service. While one of them is on, nobody is told and
// what clears is normal again; a latch stays. When the last of them ends and the
// condition is there, the alarm becomes unacknowledged and people are told then.
//
// Whether people are told says Transition.Annunciate and nothing else. One who is
// told is not told again within Policy.Quiet, unless it became more severe; what is
// kept back by that is made up for when the time is over, if the condition is still
// there. So a point that flaps is told of once in each such time, and no alarm that
// stands is kept from people for longer.
//
// Lost communication makes an alarm unknown and moves nothing else: bad data can
// neither raise nor clear, re-alarm nor be reset, and the last that was known counts.
// People may still acknowledge, and holds begin and end as ever: a hold that ends
// on an alarm that was active when it was last known tells people of it.
package lifecycle
