package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// fate is what the edge told of a fact.
type fate struct {
	made    bool
	kept    bool   // the journal has it
	held    bool   // it is in memory, as the disk refuses
	refused string // why the journal did not take it
	batch   int    // kept samples: which batch of the journal it was in, from 1
	life    int    // of the edge, from 1
	excused string // why it may be missing: the journal's damage, said by it
}

// truth is everything that the edges of one world told, life after life.
type truth struct {
	numbering
	mu       sync.Mutex
	facts    map[kind][]fate
	life     int
	batches  int
	progress []progress
	reports  int // of progress, in this life
	waiting  int
	broken   []string
	// overtaken says that facts may have come in another order than they were made.
	overtaken bool
	forgotten int64           // batches of samples, by the edges that are dead
	excusing  map[kind]string // why what is made now may be missing
}

func newTruth(n numbering) *truth {
	return &truth{numbering: n, facts: map[kind][]fate{}, excusing: map[kind]string{}}
}

// begin starts another life of the edge and returns the numbers that it goes on with.
func (t *truth) begin() map[kind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life++
	t.forgotten = t.forgottenNow()
	t.progress, t.reports, t.waiting = nil, 0, 0
	next := map[kind]int{}
	for _, k := range kinds {
		next[k] = len(t.facts[k])
	}
	return next
}

// hear takes a line of the edge.
func (t *truth) hear(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "made", "kept", "held", "refused":
		var k kind
		var from, to int
		if _, err := fmt.Sscan(rest, &k, &from, &to); err != nil || from > to {
			t.broken = append(t.broken, "not understood: "+line)
			return
		}
		fields := strings.SplitN(rest, " ", 4)
		t.note(word, k, from, to, fields[len(fields)-1])
	case "progress":
		t.hearProgress(rest)
	default:
		t.broken = append(t.broken, line)
	}
}

func (t *truth) note(word string, k kind, from, to int, why string) {
	for len(t.facts[k]) < to {
		t.facts[k] = append(t.facts[k], fate{})
	}
	if word == "kept" {
		t.batches++
	}
	for n := from; n < to; n++ {
		f := &t.facts[k][n]
		switch word {
		case "made":
			f.made, f.life, f.excused = true, t.life, t.excusing[k]
		case "kept":
			f.kept, f.batch = true, t.batches
		case "held":
			f.held = true
		default:
			f.refused = why
		}
	}
}

func (t *truth) hearProgress(text string) {
	waiting, all, err := parseProgress(text)
	if err != nil {
		t.broken = append(t.broken, "not understood: "+text)
		return
	}
	t.waiting, t.progress = waiting, all
	t.reports++
}

// settled reports whether the edge that lives has told the fate of all that it made
// and has nothing left to send. It wants news after the call that returned since.
func (t *truth) settled(since int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reports < since+2 || t.waiting > 0 || len(t.progress) == 0 {
		return false
	}
	for _, p := range t.progress {
		if p.Queued+p.Volatile > 0 {
			return false
		}
	}
	for _, k := range kinds {
		for _, f := range slices.Backward(t.facts[k]) {
			if f.life != t.life {
				break
			}
			if !f.kept && !f.held && f.refused == "" {
				return false
			}
		}
	}
	return true
}

func (t *truth) reported() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reports
}

// dropped is what the edge that lives says that its journals lost.
func (t *truth) dropped() (batches, resets int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.progress {
		batches += p.Evicted + p.Damaged + p.Forgotten
		resets += p.Resets
	}
	return batches, resets
}

// forgottenNow is how many batches of samples went as memory was full while the disk
// refused. The caller holds t.mu.
func (t *truth) forgottenNow() int64 {
	n := t.forgotten
	for _, p := range t.progress {
		n += p.Forgotten
	}
	return n
}

// excuse lets what is not in here be missing.
func (t *truth) excuse(here map[kind]map[int]bool, why string, which ...kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range which {
		for n := range t.facts[k] {
			if f := &t.facts[k][n]; !here[k][n] && f.excused == "" {
				f.excused = why
			}
		}
	}
}

// excuseNew lets what is made from now on be missing, until it is called with no
// reason.
func (t *truth) excuseNew(why string, k kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.excusing[k] = why
}

// count returns of how many facts something is true.
func (t *truth) count(is func(fate) bool) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range kinds {
		for _, f := range t.facts[k] {
			if is(f) {
				n++
			}
		}
	}
	return n
}

// mayOvertake lets the judge count fewer occurrences than the history has.
func (t *truth) mayOvertake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.overtaken = true
}

// state says what the edge told last.
func (t *truth) state() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("waiting %d, %+v", t.waiting, t.progress)
}

// verdict is what a comparison found.
type verdict struct {
	Made, Arrived  int
	Lost           []string // kept, not excused, not there
	Doubled        []string
	Wrong          []string // there with another content
	Invented       []string // there and never made
	Miscounted     []string // said to be refused, and there
	Disordered     []string // unknown to the edge before something that it kept
	Refused        map[string]int
	Unfinished     int            // made when the edge was killed, before they were durable
	Excused        map[string]int // kept and not there, by the reason that excuses it
	LostBatches    int            // of samples, among these
	lost           map[int][]int  // samples by their batch
	alarmsExpected int
}

func (v *verdict) faults() []string {
	return slices.Concat(v.Lost, v.Doubled, v.Wrong, v.Invented, v.Miscounted, v.Disordered)
}

// judge compares what arrived with what was made.
func (t *truth) judge(a *arrived) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := verdict{lost: map[int][]int{}, Refused: map[string]int{}, Excused: map[string]int{}, Wrong: slices.Clone(a.wrong), Doubled: slices.Clone(a.doubled)}
	for _, line := range t.broken {
		v.Wrong = append(v.Wrong, "the edge says: "+line)
	}
	missing := map[int]bool{}
	for _, k := range kinds {
		unknown := map[int]int{} // the first by life
		for n, f := range t.facts[k] {
			t.judgeOne(&v, k, n, f, a.here[k][n], missing)
			if !f.kept && !f.held && f.refused == "" && f.made {
				if _, ok := unknown[f.life]; !ok {
					unknown[f.life] = n
				}
			} else if first, ok := unknown[f.life]; ok && f.kept {
				v.Disordered = append(v.Disordered, fmt.Sprintf("%s %d is kept, %d before it is not", k, n, first))
				delete(unknown, f.life)
			}
		}
		for n := range a.here[k] {
			if n < 0 || n >= len(t.facts[k]) || !t.facts[k][n].made {
				v.Invented = append(v.Invented, fmt.Sprintf("%s %d", k, n))
			}
		}
	}
	t.excuseForgotten(&v)
	v.LostBatches = len(missing)
	state := 0
	for n := range t.facts[bits] {
		if a.here[bits][n] {
			if n%2 == 1 && state == 0 {
				v.alarmsExpected++
			}
			state = n % 2
		}
	}
	if more := a.alarms - v.alarmsExpected; more > 0 && more <= t.toldFromMemory(a) {
		v.Excused["people were told of the fault while the disks of edge and hub refused it, and the edge was killed"] = more
	} else if more > 0 || more < 0 && !t.overtaken {
		v.Doubled = append(v.Doubled, fmt.Sprintf("the alarm was counted %d times and the fault came %d times", a.alarms, v.alarmsExpected))
	}
	if a.alarmOrders > 1 || a.alarmKeys > 1 {
		v.Doubled = append(v.Doubled, fmt.Sprintf("%d alarms and %d orders of one fault", a.alarmKeys, a.alarmOrders))
	}
	return v
}

// toldFromMemory counts the occurrences of the fault that can have been judged though no
// disk ever had them: an edge whose disk refused sent them from memory and was killed,
// to a hub whose disk was full.
func (t *truth) toldFromMemory(a *arrived) (n int) {
	for i, f := range t.facts[bits] {
		gone := f.made && !f.kept && f.refused == "" && f.life != t.life && !a.here[bits][i]
		if i%2 == 1 && gone {
			n++
		}
	}
	return n
}

// excuseForgotten tells what is lost of samples, unless it is what the journals say
// that they let go when memory was full.
func (t *truth) excuseForgotten(v *verdict) {
	n := 0
	for _, batch := range slices.Sorted(maps.Keys(v.lost)) {
		n += len(v.lost[batch])
		for _, sample := range v.lost[batch] {
			v.Lost = append(v.Lost, fmt.Sprintf("%s %d of life %d", samples, sample, t.facts[samples][sample].life))
		}
	}
	if n > 0 && int64(len(v.lost)) <= t.forgottenNow() {
		v.Lost = slices.DeleteFunc(v.Lost, func(s string) bool { return strings.HasPrefix(s, string(samples)) })
		v.Excused["memory was full while the disk refused"] = n
	}
}

func (t *truth) judgeOne(v *verdict, k kind, n int, f fate, here bool, missing map[int]bool) {
	if f.made {
		v.Made++
	}
	if here {
		v.Arrived++
	}
	switch {
	case here && f.refused != "" && !f.kept:
		v.Miscounted = append(v.Miscounted, fmt.Sprintf("%s %d: %s", k, n, f.refused))
	case here:
	case k == samples && f.kept && f.excused == "":
		v.lost[f.batch] = append(v.lost[f.batch], n)
	case (f.kept || f.held && f.life == t.life) && f.excused == "":
		v.Lost = append(v.Lost, fmt.Sprintf("%s %d of life %d", k, n, f.life))
	case f.kept:
		v.Excused[f.excused]++
		if k == samples {
			missing[f.batch] = true
		}
	case f.held:
		v.Unfinished++
	case f.refused != "":
		v.Refused[f.refused]++
	case f.made:
		v.Unfinished++
	}
}
