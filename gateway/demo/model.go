package demo

import (
	"math"
	"time"
)

// Measures of the estate. The pumps are of 5.5 kW: 6 bar at closed valve, 16 m3/h
// at 4 bar.
const (
	tankArea     = 40.0 // m2
	tankHeight   = 3.0  // m
	fillOpens    = 2.1  // m, the float valve lets water in below this
	fillCloses   = 2.6  // m, and shuts above this
	fillRate     = 34.0 // m3/h through the open valve
	dryRunStops  = 0.30 // m, the pumps are stopped below this
	dryRunClears = 0.60 // m

	setpoint     = 4.0 // bar
	shutoffHead  = 6.0 // bar at 50 Hz without flow
	headLoss     = 2.0 / (16 * 16)
	stageUp      = 0.97 // share of full speed at which another pump joins
	stageDown    = 0.88 // share of full speed that one pump fewer may reach
	stageHold    = 45 * time.Second
	pressureLag  = 4 * time.Second
	alternation  = 8 * time.Hour
	longestStep  = 5 * time.Minute
	mainsVoltage = 229.0 // V
)

// Pipe is a pipe that can burst.
type Pipe int

// The pipes: the main lies before the meters of the buildings, theirs after.
const (
	PipeMain Pipe = iota
	PipeA
	PipeB
	pipes
)

var burstFlow = [pipes]float64{PipeMain: 26, PipeA: 26, PipeB: 26} // m3/h at 4 bar

// Controls are what people do to the estate.
type Controls struct {
	Fault [3]uint16 // fault word of each pump, bits as in the profile pump-controller; 0 is sound
	Burst [pipes]bool
	Flood bool // water on the floor of the pump room
}

// Pump is one of the three.
type Pump struct {
	Running   bool
	Frequency float64 // Hz
	Current   float64 // A
	Power     float64 // kW
	Hours     float64 // since it was installed
	Starts    int
}

// Supply is one three-phase supply.
type Supply struct {
	Power    float64    // kW
	Phases   [3]float64 // kW
	Voltages [3]float64 // V
	Currents [3]float64 // A
	Energy   float64    // kWh since it was installed
}

// State is the estate at one moment. Flows are m3/h, volumes m3.
type State struct {
	At time.Time

	Tank     float64 // water in the tank
	Filling  bool
	Pressure float64 // bar, behind the pumps
	Lead     int     // 0 to 2
	LeadAt   time.Time
	Staged   int // pumps that the controller wants
	StagedAt time.Time
	DryRun   bool
	Pumps    [3]Pump

	Inflow, Flow, FlowA, FlowB, Leak     float64
	Filled, Supplied, TotalA, TotalB     float64
	Lost                                 float64 // through the burst main
	Estate, PumpRoom                     Supply
	Mains                                float64 // Hz
	pumpPower, household, streetLighting float64
}

// Level returns the water in the tank in metres.
func (s State) Level() float64 { return s.Tank / tankArea }

// Model is the physics of the estate. It has no state and reads no clock: the
// same seed gives the same estate.
type Model struct {
	Seed uint64
	Zone *time.Location
}

// Begin returns a plausible estate at a time: half a tank, one pump about to run.
func (m Model) Begin(at time.Time) State {
	s := State{
		At: at, Tank: 2.4 * tankArea, Pressure: setpoint, LeadAt: at, Staged: 1, StagedAt: at,
		Filled: 61_000, Supplied: 60_904, TotalA: 33_240, TotalB: 27_664,
		Estate: Supply{Energy: 84_300}, PumpRoom: Supply{Energy: 21_450},
	}
	for i := range s.Pumps {
		s.Pumps[i] = Pump{Hours: 3_100 + 40*float64(i), Starts: 1_240 - 11*i}
	}
	return m.Step(s, 0, Controls{})
}

// Step returns the estate dt later under the controls. With dt 0 only what
// follows at once changes: a broken pump stands. Steps are cut to five minutes at
// most.
func (m Model) Step(s State, dt time.Duration, c Controls) State {
	for {
		part := min(dt, longestStep)
		s = m.step(s, part, c)
		if dt -= part; dt <= 0 {
			return s
		}
	}
}

func (m Model) step(s State, dt time.Duration, c Controls) State {
	s.At = s.At.Add(dt)
	s.valve()
	s.protect()
	demand := m.demand(s.At)
	s.choosePumps(c, demand.factor(c))
	s.deliver(demand, dt, c)
	m.electricity(&s)
	s.count(dt)
	return s
}

func (s *State) valve() {
	switch level := s.Level(); {
	case level < fillOpens:
		s.Filling = true
	case level > fillCloses:
		s.Filling = false
	}
	s.Inflow = 0
	if s.Filling {
		s.Inflow = fillRate
	}
}

func (s *State) protect() {
	switch level := s.Level(); {
	case level < dryRunStops:
		s.DryRun = true
	case level > dryRunClears:
		s.DryRun = false
	}
}

// choosePumps lets the lead take turns, stages pumps up and down, and sets their
// speed. factor is what the estate takes: flow = factor * sqrt(pressure).
func (s *State) choosePumps(c Controls, factor float64) {
	available := func(i int) bool { return c.Fault[i] == 0 && !s.DryRun }
	if !available(s.Lead) || s.At.Sub(s.LeadAt) >= alternation {
		for i := 1; i <= 3; i++ {
			if next := (s.Lead + i) % 3; available(next) {
				s.Lead, s.LeadAt = next, s.At
				break
			}
		}
	}
	if s.At.Sub(s.StagedAt) >= stageHold {
		switch {
		case s.Staged < 3 && speed(s.Staged, factor) > stageUp:
			s.Staged, s.StagedAt = s.Staged+1, s.At
		case s.Staged > 1 && speed(s.Staged-1, factor) < stageDown:
			s.Staged, s.StagedAt = s.Staged-1, s.At
		}
	}
	running := 0
	for i := range 3 {
		p := &s.Pumps[(s.Lead+i)%3]
		on := running < s.Staged && available((s.Lead+i)%3)
		if on {
			running++
		}
		if on && !p.Running {
			p.Starts++
		}
		p.Running = on
	}
}

// speed returns the share of full speed at which n pumps hold the setpoint; above
// 1 they cannot.
func speed(n int, factor float64) float64 {
	q := factor * math.Sqrt(setpoint) / float64(n)
	return math.Sqrt((setpoint + headLoss*q*q) / shutoffHead)
}

// deliver lets the pressure settle and divides the flow.
func (s *State) deliver(d demand, dt time.Duration, c Controls) {
	running := s.running()
	target, ratio := 0.0, 0.0
	if running > 0 {
		factor := d.factor(c)
		target, ratio = setpoint, speed(running, factor)
		if ratio > 1 {
			ratio = 1
			n := float64(running)
			target = shutoffHead / (1 + headLoss*factor*factor/(n*n))
		}
	}
	s.Pressure += (target - s.Pressure) * (1 - math.Exp(-dt.Seconds()/pressureLag.Seconds()))
	if s.Tank <= 0 {
		s.Pressure = 0
	}
	share := math.Sqrt(max(s.Pressure, 0) / setpoint)
	burst := func(p Pipe) float64 {
		if c.Burst[p] {
			return burstFlow[p] * share
		}
		return 0
	}
	s.FlowA = d.a*share + burst(PipeA)
	s.FlowB = d.b*share + burst(PipeB)
	s.Leak = burst(PipeMain)
	s.Flow = s.FlowA + s.FlowB + s.Leak
	s.household = (d.a + d.b) / 7
	s.pumpPower = 0
	for i := range s.Pumps {
		s.Pumps[i].load(ratio, s.Flow/float64(max(running, 1)), s.Pressure)
		s.pumpPower += s.Pumps[i].Power
	}
}

func (s *State) running() int {
	n := 0
	for _, p := range s.Pumps {
		if p.Running {
			n++
		}
	}
	return n
}

// load sets what a pump takes: losses that grow with the cube of the speed, and
// the hydraulic power at 60 % efficiency (1 m3/h at 36 bar is 1 kW).
func (p *Pump) load(ratio, flow, pressure float64) {
	p.Frequency, p.Power, p.Current = 0, 0, 0
	if !p.Running {
		return
	}
	p.Frequency = 50 * ratio
	p.Power = 0.7*ratio*ratio*ratio + flow*pressure/36/0.6
	p.Current = p.Power / (math.Sqrt(3) * 0.38 * 0.82)
}

// count adds up what flowed and ran during the step. The tank's balance is exact:
// what was filled is what was supplied and what is left.
func (s *State) count(dt time.Duration) {
	h := dt.Hours()
	in := s.Inflow * h
	room := tankArea*tankHeight - s.Tank
	in = min(in, max(room+s.Flow*h, 0))
	s.Tank += in - s.Flow*h
	s.Filled += in
	s.Supplied += s.Flow * h
	s.TotalA += s.FlowA * h
	s.TotalB += s.FlowB * h
	s.Lost += s.Leak * h
	for i := range s.Pumps {
		if s.Pumps[i].Running {
			s.Pumps[i].Hours += h
		}
	}
	s.Estate.Energy += s.Estate.Power * h
	s.PumpRoom.Energy += s.PumpRoom.Power * h
}
