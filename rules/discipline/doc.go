// Package discipline keeps alarms from drowning those who answer them: what follows
// from another alarm is suppressed and its cause named, what comes together is told
// together, a flood holds back what can wait, and the figures of EEMUA 191 and
// ISA-18.2 say how well all that goes. It is values in, values out: it never reads a
// clock, stores or sends anything.
//
// An alarm may say that a node of the estate is down: "offline" takes its device,
// "mains lost" the supply behind its meter. While such an alarm is active and no person
// holds it, every alarm at a node below is suppressed by design, and so are the other
// alarms of a device that is down itself, and those that say the same of a node again.
// Where every device of a line, two at least, is down by itself and no alarm says so of
// the line, the first of them stands for all. The topology has no cycles and nothing is its
// own ancestor, so of all alarms that are active one at least is a root, and a root is
// never suppressed. What is suppressed is released with the fact that ends its cause,
// or goes over to the next cause if there is one.
//
// Whoever owns a Control gives it the transitions of the life cycle in their order,
// with what the life cycle says about telling (Event.Annunciate), and
//   - does to the life cycle what Outcome.Holds says, giving the transitions that come
//     of it to the Control too: an alarm that is released and still there comes back
//     as one that people are to be told of;
//   - tells people what Outcome.Tell says, and nothing else;
//   - calls Advance when Due has come.
//
// When people are told: of life safety (Event.Safety) at once, whatever else goes on,
// and nothing ever suppresses it. Of P1 at once, but Group after the notification
// before. Of all else Group after the first that waits, all together; what was released
// after Recovery, so that what is coming back by itself is not told. During a flood P3
// and P4 wait for its end, Withhold at most. So when a cause shows less than Group after its
// first consequence, there are at most three notifications however many alarms: the
// first consequence if it is P1, the cause, and once what did not come back.
package discipline
