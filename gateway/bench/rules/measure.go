package main

import (
	"fmt"
	"io"
	"runtime"
	"syscall"
	"time"

	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/hub"
	"gengfu/rules"
)

// measureRate judges an estate of 1,000 pumps by ten rules each in one goroutine,
// once its windows are full. A reading is one evaluation for each rule that hangs on
// its point, or on one that was read with it.
func measureRate(p plan, out io.Writer) ([]figure.Figure, error) {
	e := estate(1000)
	engine, err := compile(mix(), e)
	if err != nil {
		return nil, err
	}
	round, warm := 0, 400 // over an hour
	for ; round < warm; round++ {
		feed(engine, e, round)
	}
	changes := 0
	var rates, clock, each []float64
	for range p.windows {
		rounds := p.readings / len(e.Devices) / len(quantities)
		var spent, passed time.Duration
		judged := engine.Stats().Judged
		for range rounds {
			readings := polls(e, round)
			begin, used := time.Now(), processor()
			changes += judge(engine, readings)
			spent += processor() - used
			passed += time.Since(begin)
			round++
		}
		count := float64(engine.Stats().Judged - judged)
		rates = append(rates, count/spent.Seconds())
		clock = append(clock, count/passed.Seconds())
		each = append(each, float64(spent.Nanoseconds())/float64(rounds*len(e.Devices)*len(quantities)))
	}
	rate := figure.Quantile(rates, 0.5)
	fmt.Fprintf(out, "Rate: %d rules on %d devices, %d times %d readings, %d changes of alarms; %.0f ns for a reading; by the clock, beside whatever else ran, %.0f evaluations a second\n",
		len(mix()), len(e.Devices), p.windows, p.readings, changes, figure.Quantile(each, 0.5), figure.Quantile(clock, 0.5))
	if changes == 0 {
		return nil, fmt.Errorf("no alarm came or went")
	}
	return []figure.Figure{
		figure.AtLeast("rules_evaluations", rate, "1/s", 2_000_000, 0, "of processor time, garbage collection included: one goroutine judges polls as they come; windows, delays and bands"),
	}, nil
}

// processor is the processor time that this process has had.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func feed(engine *rules.Engine, e facility.Estate, round int) {
	judge(engine, polls(e, round))
}

// judge hands readings over poll by poll, as they come, and lets time pass.
func judge(engine *rules.Engine, readings []facility.Reading) (changes int) {
	for len(readings) > 0 {
		n := min(len(quantities), len(readings))
		changes += len(engine.Observe(readings[:n]...))
		readings = readings[n:]
	}
	return changes
}

// measureWeight weighs 10,000 instances whose windows are full.
func measureWeight(_ plan, out io.Writer) ([]figure.Figure, error) {
	e := estate(1000)
	before := heap()
	engine, err := compile(mix(), e)
	if err != nil {
		return nil, err
	}
	compiled := heap()
	for round := range 400 {
		feed(engine, e, round)
	}
	full := heap()
	begin := time.Now()
	state, err := engine.Snapshot()
	if err != nil {
		return nil, err
	}
	saved := time.Since(begin)
	again, err := compile(mix(), e)
	if err != nil {
		return nil, err
	}
	begin = time.Now()
	if err := again.Restore(state); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Weight: %d instances, %.1f MB compiled, %.1f MB with full windows; snapshot %.1f MB in %s, restored in %s\n",
		engine.Instances(), mb(compiled-before), mb(full-before), mb(len(state)), saved.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
	weight := full - before
	runtime.KeepAlive(engine)
	runtime.KeepAlive(e)
	return []figure.Figure{
		figure.AtMost("rules_instance", float64(weight)/float64(engine.Instances())/1024, "KB", 4, 2, "a rule on a device, with its share of the windows"),
		figure.AtMost("rules_10000_instances", mb(weight), "MB", 64, 1, "ten rules on each of 1,000 devices, windows full"),
	}, nil
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

// heap is what lives in memory.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// measureFlat judges the readings of one device, which ten rules concern, beside no
// and many other rules. The three take turns, so that whatever else the machine does
// is the same for all.
func measureFlat(p plan, out io.Writer) ([]figure.Figure, error) {
	var estates []*crowd
	for _, pumps := range []int{1, 100, 10_000} {
		c, err := newCrowd(pumps)
		if err != nil {
			return nil, err
		}
		estates = append(estates, c)
	}
	runtime.GC()
	costs := make([][]float64, len(estates))
	for range p.windows * 40 {
		for i, c := range estates {
			costs[i] = append(costs[i], c.cost())
		}
	}
	var median []float64
	for _, c := range costs {
		median = append(median, figure.Quantile(c, 0.5))
	}
	fmt.Fprintf(out, "Flat: a reading that ten rules concern costs %.0f ns beside none, %.0f ns beside 990 and %.0f ns beside 99,990 others\n", median[0], median[1], median[2])
	note := "of a reading that ten rules concern, to that among ten rules"
	return []figure.Figure{
		figure.AtMost("rules_cost_1000", median[1]/median[0], "times", 1.5, 2, note),
		figure.AtMost("rules_cost_100000", median[2]/median[0], "times", 1.5, 2, note),
	}, nil
}

// crowd is an engine of many devices, one of which is looked at.
type crowd struct {
	engine *rules.Engine
	point  facility.PointID
	at     time.Time
}

func newCrowd(pumps int) (*crowd, error) {
	e := estate(pumps)
	rs := mix()
	for i := range rs {
		rs[i].When = "pressure > " + fmt.Sprint(5+i) + " bar or avg(pressure, 15m) > 6 bar"
		rs[i].Clear = ""
	}
	engine, err := compile(rs, e)
	if err != nil {
		return nil, err
	}
	for round := range 100 {
		feed(engine, e, round)
	}
	return &crowd{engine: engine, point: e.Devices[pumps/2].Points[0].ID, at: began.Add(101 * period)}, nil
}

// cost is what a reading costs in nanoseconds, in the mean of some.
func (c *crowd) cost() float64 {
	const batch = 1000
	r := facility.Reading{Point: c.point, Quality: facility.Good, Unit: "bar"}
	begin := time.Now()
	for n := range batch {
		c.at = c.at.Add(10 * time.Millisecond)
		r.Time, r.Value = c.at, 4+float64(n%8)/10
		c.engine.Observe(r)
	}
	return float64(time.Since(begin).Nanoseconds()) / batch
}

// measureLatency sends 10,000 readings a second, at their own pace, into an engine of
// 10,000 instances that lets time pass and saves what changed of its state as the hub
// does, and takes the time from when a reading was due to when the change that it led to
// is there. By their own times the readings are 10 s apart, so that windows and delays
// pass 20 times as fast as they come.
func measureLatency(p plan, out io.Writer) ([]figure.Figure, error) {
	const rate = 10_000
	e := estate(1000)
	engine, err := compile(mix(), e)
	if err != nil {
		return nil, err
	}
	for round := range 400 {
		feed(engine, e, round)
	}
	if err := keep(engine); err != nil { // whole, as at the start
		return nil, err
	}
	var late []float64
	saved, beat := time.Duration(0), time.Duration(0)
	begin := time.Now()
	for round := 400; ; round++ {
		readings := polls(e, round)
		for n := 0; n < len(readings); n += len(quantities) {
			due := time.Duration((round-400)*len(readings)+n) * time.Second / rate
			if due > p.paced {
				return latencies(p, out, late)
			}
			for now := time.Since(begin); now < due; now = time.Since(begin) {
				switch {
				case now-saved > hub.SaveEvery || engine.Unsaved() >= hub.SaveMany:
					saved = now
					if err := keep(engine); err != nil {
						return nil, err
					}
				case now-beat > 500*time.Millisecond:
					beat = now
					engine.Advance(readings[n].Time.Add(-period))
				default:
					runtime.Gosched()
				}
			}
			if len(engine.Observe(readings[n:n+len(quantities)]...)) > 0 {
				late = append(late, milliseconds(time.Since(begin)-due))
				saved = time.Since(begin)
				if err := keep(engine); err != nil {
					return nil, err
				}
			}
		}
	}
}

// keep has the engine save what changed, as the hub does behind each decision.
func keep(engine *rules.Engine) error {
	if _, err := engine.Save(); err != nil {
		return err
	}
	engine.Kept()
	return nil
}

func latencies(p plan, out io.Writer, late []float64) ([]figure.Figure, error) {
	if len(late) < 100 {
		return nil, fmt.Errorf("only %d alarms came or went", len(late))
	}
	fmt.Fprintf(out, "Latency: %d changes in %s at 10,000 readings a second, 10 s of a point's own time apart; median %.3f ms, longest %.1f ms\n",
		len(late), p.paced, figure.Quantile(late, 0.5), figure.Quantile(late, 1))
	return []figure.Figure{
		figure.AtMost("rules_latency_p99", figure.Quantile(late, 0.99), "ms", 5, 3, "of the engine alone, nothing on disk: from when a reading was due to the change that it leads to; beats, and saving what changed of 10,000 instances, between"),
	}, nil
}
