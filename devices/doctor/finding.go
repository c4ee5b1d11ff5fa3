// Package doctor finds out why a line or a device does not answer as it should, and
// says it in plain words with the cure. Judging is pure; Examine asks, and asks only
// to read.
package doctor

import (
	"fmt"
	"slices"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Fine  Severity = "fine"
	Hint  Severity = "hint"  // works, and may not for ever
	Wrong Severity = "wrong" // does not work
)

// Finding is what one check found.
type Finding struct {
	Check    string   `json:"check"`            // port, quiet, answers, echo, settings, collision, twice, turnaround, mode, exceptions, order, model
	Device   string   `json:"device,omitempty"` // id of the configuration, or "address 5"
	Did      string   `json:"did"`
	Found    string   `json:"found"`
	Cure     string   `json:"cure,omitempty"`
	Severity Severity `json:"severity"`
}

// Target is a device that is to answer.
type Target struct {
	ID       string // of the configuration, "" when only the address is known
	Protocol sniff.Protocol
	Address  string
	Model    *profile.Profile // nil when it is not known
	Timeout  time.Duration    // of the configuration
	Guessed  bool             // nobody said that there is such a device
}

func (t Target) device() string {
	if t.ID == "" {
		return "address " + t.Address
	}
	return t.ID
}

func (t Target) name() string {
	if t.ID == "" {
		return "address " + t.Address
	}
	return t.ID + " (address " + t.Address + ")"
}

// Observed is how a target behaved.
type Observed struct {
	Target
	Asked       int
	Clean       int
	Silent      int
	Spoilt      int
	Refused     int
	Code        int // of the last refusal
	Doubles     int // windows in which two different replies came
	Repeats     int // windows in which the reply came twice
	Echoed      int // windows that began with the request itself
	Turnarounds []time.Duration
	Late        time.Duration // after which it answered when that was beyond its timeout; 0 when it was not
	Answers     []scan.Answer // of a model that is known
	Counters    sniff.Counters
}

func (o Observed) dead() bool { return o.Clean+o.Refused == 0 }

func (o Observed) slowest() time.Duration {
	if len(o.Turnarounds) == 0 {
		return 0
	}
	return slices.Max(o.Turnarounds)
}

// Facts are what was seen of the line besides its targets.
type Facts struct {
	Socket     bool
	Setting    scan.Setting
	Protocol   sniff.Protocol // of the configuration, "" when none is known
	Unasked    sniff.Counters // what came while nobody here asked
	Elsewhere  []scan.Device  // who answers at other settings, or in another mode
	Neighbours bool           // other settings or modes were tried
}

// Judge says what the observations mean, the worst first.
func Judge(f Facts, all []Observed) []Finding {
	out := judgeQuiet(f)
	out = append(out, judgeEcho(all)...)
	out = append(out, judgeLine(f, all)...)
	for _, o := range all {
		out = append(out, judgeTarget(o, all)...)
	}
	return worstFirst(out)
}

func worstFirst(out []Finding) []Finding {
	rank := map[Severity]int{Wrong: 0, Hint: 1, Fine: 2}
	slices.SortStableFunc(out, func(a, b Finding) int { return rank[a.Severity] - rank[b.Severity] })
	return out
}

func judgeQuiet(f Facts) []Finding {
	const did = "listened without asking"
	u := f.Unasked
	switch {
	case u.Requests > 0:
		return []Finding{{
			Check: "quiet", Did: did, Severity: Wrong,
			Found: fmt.Sprintf("another master asks on this line: %d requests were heard", u.Requests),
			Cure:  "A line has one master. Take the other one off (a building controller, a second gateway, a second client of the box), or read that one instead.",
		}}
	case u.Bytes > 0 && f.Socket:
		return []Finding{{
			Check: "quiet", Did: did, Severity: Hint,
			Found: fmt.Sprintf("the box sends %d bytes of its own", u.Bytes),
			Cure:  "Turn registration and heartbeat packets off in the box, or write them under tcp: heartbeat so that they are passed over.",
		}}
	case u.Bytes > 0:
		return []Finding{{
			Check: "quiet", Did: did, Severity: Hint,
			Found: fmt.Sprintf("%d bytes of noise came on a line that should be silent", u.Bytes),
			Cure:  "Connect the ground of both ends, put 120 ohm at both ends of the bus and a bias (560 ohm) at one, and keep it off cables of drives.",
		}}
	}
	return []Finding{{Check: "quiet", Did: did, Found: "the line is silent when nobody is asked", Severity: Fine}}
}

func judgeEcho(all []Observed) []Finding {
	asked, echoed := 0, 0
	for _, o := range all {
		asked, echoed = asked+o.Asked, echoed+o.Echoed
	}
	const did = "compared what came with what was sent"
	switch {
	case echoed == 0 || asked == 0:
		return nil
	case echoed*10 >= asked*9:
		return []Finding{{
			Check: "echo", Did: did, Severity: Hint,
			Found: "the adapter returns everything that is sent",
			Cure:  "Write echo: on at the line (auto finds it out by itself), or turn the echo off at the adapter (RE tied to DE).",
		}}
	}
	return []Finding{{
		Check: "echo", Did: did, Severity: Hint,
		Found: fmt.Sprintf("%d of %d requests came back", echoed, asked),
		Cure:  "An adapter echoes always or never. Sometimes means that it switches its direction too late: use one with automatic direction, or rs485 of the line.",
	}}
}

// judgeLine says what is wrong with all targets together.
func judgeLine(f Facts, all []Observed) []Finding {
	if len(all) == 0 {
		return nil
	}
	did := fmt.Sprintf("asked %d addresses with %s", len(all), f.Setting)
	dead, bytes := 0, 0
	var counters sniff.Counters
	guessed := 0
	for _, o := range all {
		if o.dead() {
			dead++
		}
		if o.dead() && o.Guessed {
			guessed++
		}
		if o.Counters.Bytes > counters.Bytes {
			counters = o.Counters
		}
		bytes += o.Counters.Bytes
	}
	if dead < len(all) {
		return []Finding{{Check: "answers", Did: did, Found: fmt.Sprintf("%d of %d answer", len(all)-dead, len(all)-guessed), Severity: Fine}}
	}
	if len(f.Elsewhere) > 0 {
		return []Finding{elsewhere(f, did)}
	}
	switch {
	case bytes > 0 && f.Socket:
		return []Finding{{
			Check: "mode", Did: did, Severity: Wrong, Found: fmt.Sprintf("%d bytes came and none is an answer", bytes),
			Cure: "Set baud rate and parity of the box as the devices have them, and its mode as the protocol of the line: Modbus gateway for modbus-tcp, transparent for modbus-rtu.",
		}}
	case bytes > 0:
		said := counters.Suspicion()
		if said == "" {
			said = "bytes come and none are an answer"
		}
		return []Finding{{
			Check: "settings", Did: did, Severity: Wrong, Found: said,
			Cure: "Set baud rate and parity as on the devices; gengfu scan tries all of them. If only replies are spoilt: shorten the line, put 120 ohm at both ends, connect the ground.",
		}}
	case f.Socket:
		return []Finding{{
			Check: "answers", Did: did, Severity: Wrong, Found: "the box takes the connection and nothing comes back, in either mode",
			Cure: "Look whether another program holds the box (many serve one client only, and keep a dead one for minutes: power it off and on), whether A and B are the right way round, and whether its baud rate and parity are those of the devices.",
		}}
	}
	return []Finding{{
		Check: "answers", Did: did, Severity: Wrong, Found: "not one byte comes back" + triedElsewhere(f),
		Cure: "Look in this order: power of the devices; A and B the other way round (makers differ in which is which, trying does no harm); ground between the cabinets; the address set on the device; the cable from the adapter on.",
	}}
}

func triedElsewhere(f Facts) string {
	if f.Neighbours {
		return ", with other settings neither"
	}
	return ""
}

func elsewhere(f Facts, did string) Finding {
	d := f.Elsewhere[0]
	if f.Socket {
		protocol := map[sniff.Protocol]string{sniff.ModbusTCP: "Modbus TCP", sniff.ModbusRTU: "the transparent mode"}[d.Protocol]
		if protocol == "" {
			protocol = string(d.Protocol)
		}
		return Finding{
			Check: "mode", Did: did + ", then in the other mode", Severity: Wrong,
			Found: fmt.Sprintf("address %s answers in %s, and the line is set to %s", d.Address, protocol, f.Protocol),
			Cure:  fmt.Sprintf("Write protocol: %s, or change the mode of the box.", d.Protocol),
		}
	}
	return Finding{
		Check: "settings", Did: did + ", then with other settings", Severity: Wrong,
		Found: fmt.Sprintf("address %s answers at %s by %s, and the line is set to %s", d.Address, d.Setting, d.Protocol, f.Setting),
		Cure:  fmt.Sprintf("Write baud: %d, parity: %s, or set the device to %s.", d.Setting.Baud, d.Setting.Parity, f.Setting),
	}
}

// judgeTarget says what is wrong with one target, when others show that the line works.
func judgeTarget(o Observed, all []Observed) (out []Finding) {
	did := fmt.Sprintf("asked %s %d times", o.name(), o.Asked)
	add := func(check string, s Severity, found, cure string) {
		out = append(out, Finding{Check: check, Device: o.device(), Did: did, Found: found, Cure: cure, Severity: s})
	}
	alive := slices.ContainsFunc(all, func(x Observed) bool { return !x.dead() })
	others := slices.ContainsFunc(all, func(x Observed) bool { return x.Address != o.Address && x.Clean > 0 && x.Spoilt == 0 })
	const apart = "Give each its own address: take one off the bus, set the other's address, connect it again."
	switch {
	case o.Doubles > 0:
		add("collision", Wrong, fmt.Sprintf("two different answers came to %d of %d requests: two devices have this address", o.Doubles, o.Asked), apart)
	case o.Spoilt > 0 && o.Spoilt*5 >= o.Asked && others:
		add("collision", Wrong, fmt.Sprintf("%d of %d answers are spoilt while others on the line are clean: two devices likely have this address", o.Spoilt, o.Asked),
			apart+" If there is only one, look at its terminals and its stub.")
	case o.Spoilt > 0 && (alive || o.Clean > 0):
		add("line", Hint, fmt.Sprintf("%d of %d answers are spoilt", o.Spoilt, o.Asked),
			"Put 120 ohm at both ends of the bus, connect the ground, keep stubs below a metre, or go to a lower baud rate.")
	}
	if o.Repeats > 1 && o.Doubles == 0 {
		add("twice", Hint, fmt.Sprintf("its replies come twice (in %d of %d requests)", o.Repeats, o.Asked),
			"What is read is right, and takes twice as long. Look for a second converter on the same two wires, and turn off repeating and multi-host modes of the one in use.")
	}
	switch {
	case o.Late > 0:
		add("turnaround", Wrong, fmt.Sprintf("it answers after %v, and the timeout is %v", o.Late.Round(time.Millisecond), o.Timeout),
			fmt.Sprintf("Write timeout: %v at the device.", roundUp(2*o.Late)))
	case o.slowest() > 0 && o.slowest()*10 > o.Timeout*6:
		add("turnaround", Hint, fmt.Sprintf("it took up to %v of a timeout of %v", o.slowest().Round(time.Millisecond), o.Timeout),
			fmt.Sprintf("Write timeout: %v at the device.", roundUp(2*o.slowest())))
	case o.dead() && alive && o.Spoilt == 0 && !o.Guessed:
		add("answers", Wrong, "it does not answer while others on the line do",
			"Look at its power and its two wires, and at the address and the baud rate set on it; gengfu scan --address finds it when it has another address.")
	}
	if o.Refused > 0 && o.Clean == 0 && o.Model != nil {
		add("exceptions", Wrong, "it answers, and only with refusals: "+code(o), cureOf(o))
	}
	if o.Clean > 0 {
		out = append(out, judgeModel(o, did)...)
	}
	if len(out) == 0 && o.Clean+o.Refused > 0 {
		add("device", Fine, fmt.Sprintf("%d of %d answers are whole, in %v at most", o.Clean+o.Refused, o.Asked, o.slowest().Round(time.Millisecond)), "")
	}
	return out
}

// roundUp writes a timeout as people do.
func roundUp(d time.Duration) time.Duration {
	const step = 100 * time.Millisecond
	return (d + step - 1) / step * step
}
