package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/devices/simulator"
)

// Action is something that people do to the estate.
type Action struct {
	Name string   `json:"name"`
	Args []string `json:"args,omitempty"`
}

// ErrAction says that an action does not exist or that its words are wrong.
var ErrAction = errors.New("no such action")

// ActionHelp describes one action for a command line.
type ActionHelp struct{ Usage, What string }

// Actions lists what Control understands.
func Actions() []ActionHelp {
	return []ActionHelp{
		{"break-pump N [CAUSE]", "set the fault bit of pump 1 to 3; cause: fault, overload, phase_loss, overpressure, sensor_fault, drive_fault"},
		{"repair-pump N", "clear it again"},
		{"burst PIPE", "burst a pipe: main, building-a or building-b"},
		{"mend [PIPE]", "mend a pipe, or all"},
		{"flood", "put water on the floor of the pump room"},
		{"dry", "take it away"},
		{"silence DEVICE", "let a device no longer answer"},
		{"fault DEVICE KIND", `let it misbehave: "slow 800ms", "exception 2", busy, corrupt, split 20ms, truncated, none`},
		{"restore DEVICE", "let it answer again"},
		{"tap CHECKPOINT PERSON", "hold a guard's badge (or a UID) to the reader of a checkpoint"},
		{"skip [CHECKPOINT]", "let the guard leave out a checkpoint, or whatever comes next"},
		{"guard on|off", "let the guard walk his rounds, or rest"},
		{"status", "say how the estate is"},
		{"reset", "make everything whole"},
	}
}

// faultBits are the causes of break-pump in the fault word of the profile
// pump-controller; every cause sets the collective fault too.
var faultBits = map[string]uint16{
	"fault": 0, "overload": 1 << 1, "phase_loss": 1 << 2, "overpressure": 1 << 4, "sensor_fault": 1 << 5, "drive_fault": 1 << 6,
}

var pipeNames = [pipes]string{PipeMain: "main", PipeA: "building-a", PipeB: "building-b"}

// Control does the action; when it returns, the registers show it. A wrong action
// is an ErrAction that says what is possible.
func (e *Estate) Control(ctx context.Context, a Action) (Status, error) {
	if err := ctx.Err(); err != nil {
		return Status{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if err := e.do(a.Name, a.Args, now); err != nil {
		return Status{}, fmt.Errorf("%s: %w", strings.TrimSpace(a.Name+" "+strings.Join(a.Args, " ")), err)
	}
	e.state = e.model.Step(e.state, max(0, now.Sub(e.state.At)), e.controls)
	e.publish()
	return e.status(now), nil
}

func (e *Estate) do(name string, args []string, now time.Time) error {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch name {
	case "break-pump":
		return e.breakPump(arg(0), arg(1))
	case "repair-pump":
		i, err := pumpIndex(arg(0))
		if err != nil {
			return err
		}
		e.controls.Fault[i] = 0
	case "burst":
		return e.burst(arg(0), true)
	case "mend":
		return e.burst(arg(0), false)
	case "flood", "dry":
		e.controls.Flood = name == "flood"
	case "silence":
		return e.misbehave(arg(0), "silent")
	case "fault":
		return e.misbehave(arg(0), strings.Join(args[min(1, len(args)):], " "))
	case "restore":
		return e.misbehave(arg(0), "none")
	case "tap":
		return e.tap(arg(0), strings.Join(args[min(1, len(args)):], " "), now)
	case "skip":
		return e.skip(arg(0))
	case "guard":
		return e.guard(arg(0))
	case "status":
	case "reset":
		e.reset()
	default:
		return fmt.Errorf("%w; there are %s", ErrAction, actionNames())
	}
	return nil
}

func actionNames() string {
	var names []string
	for _, a := range Actions() {
		name, _, _ := strings.Cut(a.Usage, " ")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func pumpIndex(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "pump-"))
	if err != nil || n < 1 || n > len(pumpIDs) {
		return 0, fmt.Errorf("%w: %q is no pump, write 1, 2 or 3", ErrAction, s)
	}
	return n - 1, nil
}

func (e *Estate) breakPump(pump, cause string) error {
	i, err := pumpIndex(pump)
	if err != nil {
		return err
	}
	if cause == "" {
		cause = "fault"
	}
	word, ok := faultBits[cause]
	if !ok {
		return fmt.Errorf("%w: no pump breaks by %q, write one of %s", ErrAction, cause, strings.Join(slices.Sorted(maps.Keys(faultBits)), ", "))
	}
	e.controls.Fault[i] = faultBit | word
	return nil
}

func (e *Estate) burst(pipe string, broken bool) error {
	if pipe == "" && !broken {
		e.controls.Burst = [pipes]bool{}
		return nil
	}
	if pipe == "" {
		pipe = pipeNames[PipeMain]
	}
	p := slices.Index(pipeNames[:], pipe)
	if p < 0 {
		return fmt.Errorf("%w: there is no pipe %q, write one of %s", ErrAction, pipe, strings.Join(pipeNames[:], ", "))
	}
	e.controls.Burst[p] = broken
	return nil
}

func (e *Estate) misbehave(device, fault string) error {
	slave, ok := e.slaves[device]
	if !ok {
		return fmt.Errorf("%w: there is no device %q, write one of %s", ErrAction, device, strings.Join(slices.Sorted(maps.Keys(e.slaves)), ", "))
	}
	f, err := simulator.ParseFault(fault)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAction, err)
	}
	slave.SetFault(f)
	return nil
}

// TapMade is a badge that was held to a reader.
type TapMade struct {
	Checkpoint string    `json:"checkpoint"`
	Badge      string    `json:"badge"`
	At         time.Time `json:"at"`
}

func (e *Estate) tap(where, who string, now time.Time) error {
	r, ok := e.site.readerAt(where)
	if !ok {
		return fmt.Errorf("%w: no reader hangs at %q, write one of %s", ErrAction, where, e.site.checkpointIDs())
	}
	if who == "" {
		who = "zhao"
	}
	uid, ok := badge(who)
	if !ok {
		return fmt.Errorf("%w: %q has no badge, write zhao, sun or a UID", ErrAction, who)
	}
	if err := e.readers[r.ID].Tap(uid); err != nil {
		return err
	}
	e.lastTap = TapMade{Checkpoint: r.Checkpoint, Badge: uid, At: now}
	return nil
}

func (e *Estate) skip(checkpoint string) error {
	if checkpoint != "" && !slices.Contains(e.walk.checkpoints, checkpoint) {
		return fmt.Errorf("%w: there is no checkpoint %q, write one of %s", ErrAction, checkpoint, e.site.checkpointIDs())
	}
	e.walk.skipping[checkpoint] = true
	return nil
}

func (e *Estate) guard(s string) error {
	if s != "on" && s != "off" {
		return fmt.Errorf("%w: write guard on or guard off", ErrAction)
	}
	e.walk.resting = s == "off"
	return nil
}

func (e *Estate) reset() {
	e.controls = Controls{}
	for _, s := range e.slaves {
		s.SetFault(simulator.Fault{})
	}
	e.walk.resting = false
	clear(e.walk.skipping)
}

// Status is how the estate is, for the panel and the command line.
type Status struct {
	At       time.Time    `json:"at"`
	Pumps    []PumpStatus `json:"pumps"`
	Level    float64      `json:"level"`    // m
	Pressure float64      `json:"pressure"` // bar
	Flow     float64      `json:"flow"`     // m3/h
	Leak     float64      `json:"leak"`     // m3/h through the burst main
	Power    float64      `json:"power"`    // kW
	Burst    []string     `json:"burst"`    // pipes
	Flood    bool         `json:"flood"`
	DryRun   bool         `json:"dry_run"`
	Faults   []FaultNow   `json:"faults"` // devices that do not answer as they should
	Guard    bool         `json:"guard"`  // walks his rounds
	Skipping []string     `json:"skipping"`
	NextTap  *TapNext     `json:"next_tap"`
	LastTap  *TapMade     `json:"last_tap"`
}

// PumpStatus is one pump.
type PumpStatus struct {
	Running   bool    `json:"running"`
	Lead      bool    `json:"lead"`
	FaultWord uint16  `json:"fault_word"`
	Frequency float64 `json:"frequency"` // Hz
}

// FaultNow is the misbehaviour of a device.
type FaultNow struct {
	Device string              `json:"device"`
	Kind   simulator.FaultKind `json:"kind"`
}

// TapNext is the guard's next tap.
type TapNext struct {
	Checkpoint string    `json:"checkpoint"`
	At         time.Time `json:"at"`
}

// Status returns how the estate is.
func (e *Estate) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status(e.now())
}

func (e *Estate) status(now time.Time) Status {
	s := e.state
	out := Status{
		At: now, Level: s.Level(), Pressure: s.Pressure, Flow: s.Flow, Leak: s.Leak, Power: s.Estate.Power,
		Burst: []string{}, Flood: e.controls.Flood, DryRun: s.DryRun, Faults: []FaultNow{},
		Guard: !e.walk.resting, Skipping: slices.AppendSeq([]string{}, maps.Keys(e.walk.skipping)),
	}
	slices.Sort(out.Skipping)
	for i, p := range s.Pumps {
		out.Pumps = append(out.Pumps, PumpStatus{Running: p.Running, Lead: i == s.Lead, FaultWord: e.controls.Fault[i], Frequency: p.Frequency})
	}
	for p, burst := range e.controls.Burst {
		if burst {
			out.Burst = append(out.Burst, pipeNames[p])
		}
	}
	for _, d := range e.site.Devices {
		if f := e.slaves[d.ID].Fault(); f.Kind != simulator.Healthy {
			out.Faults = append(out.Faults, FaultNow{Device: d.ID, Kind: f.Kind})
		}
	}
	if taps := append(slices.Clone(e.walk.owed), e.model.walk(e.walk.checkpoints, e.walk.seen, now.Add(2*time.Hour))...); out.Guard && len(taps) > 0 {
		out.NextTap = &TapNext{Checkpoint: taps[0].Checkpoint, At: taps[0].At}
	}
	if !e.lastTap.At.IsZero() {
		last := e.lastTap
		out.LastTap = &last
	}
	return out
}
