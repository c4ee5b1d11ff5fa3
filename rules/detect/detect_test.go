package detect_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gengfu/rules/detect"
)

// start is a Monday at midnight.
var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func detector(t testing.TB, kind detect.Kind, channels int) *detect.Detector {
	t.Helper()
	d, err := detect.New(kind, detect.Settings{Channels: channels})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run gives the detector n samples of a source and returns when a flag rose and how
// many samples it was up.
func run(d *detect.Detector, from, n int, step time.Duration, source func(i int) []float64) (rose []int, up int) {
	was := false
	for i := from; i < from+n; i++ {
		v := d.Observe(start.Add(time.Duration(i)*step), source(i)...)
		if v.Flag {
			up++
			if !was {
				rose = append(rose, i)
			}
		}
		was = v.Flag
	}
	return rose, up
}

// risen fails unless the flag rose first within the given samples.
func risen(t *testing.T, what string, rose []int, from, to int) {
	t.Helper()
	if len(rose) == 0 || rose[0] < from || rose[0] > to {
		t.Errorf("%s: the flag rose at %v, want first from %d to %d", what, rose, from, to)
	}
}

func quiet(t *testing.T, what string, rose []int, most int) {
	t.Helper()
	if len(rose) > most {
		t.Errorf("%s: the flag rose at %v, want at most %d times", what, rose, most)
	}
}

// wave is a noisy day of five-minute samples.
func wave(seed uint64) func(i int) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	return func(i int) []float64 {
		return []float64{50 + 20*math.Sin(2*math.Pi*float64(i)/288) + 2*r.NormFloat64()}
	}
}

func TestSeriesTellsWhatIsNews(t *testing.T) {
	for name, change := range map[string]func(i int, x float64) float64{
		"spike":      func(i int, x float64) float64 { return x + 80*in(i, 0, 1) },
		"level":      func(i int, x float64) float64 { return x + 60*in(i, 0, 300) },
		"flat":       func(i int, x float64) float64 { return x*(1-in(i, 0, 300)) + 50*in(i, 0, 300) },
		"much noise": func(i int, x float64) float64 { return x + in(i, 0, 300)*30*float64(1-2*(i%2)) },
	} {
		d := detector(t, detect.Series, 1)
		source := wave(7)
		rose, _ := run(d, 0, 4000, 5*time.Minute, source)
		quiet(t, name+": before", rose, 3)
		rose, up := run(d, 4000, 1000, 5*time.Minute, func(i int) []float64 { return []float64{change(i-4000, source(i)[0])} })
		risen(t, name, rose, 4000, 4120)
		if up > 900 {
			t.Errorf("%s: the alarm does not close", name)
		}
	}
}

// in is 1 from a up to b, else 0.
func in(i, a, b int) float64 {
	if i >= a && i < b {
		return 1
	}
	return 0
}

func TestSeriesKnowsTheTimeOfDay(t *testing.T) {
	d := detector(t, detect.Series, 1)
	source := wave(3)
	run(d, 0, 288*14, 5*time.Minute, source)
	i := 288*14 + 72 // six in the morning: the top of the wave
	v := d.Observe(start.Add(time.Duration(i)*5*time.Minute), source(i)...)
	if math.Abs(v.Baseline-70) > 4 {
		t.Errorf("the baseline at the top is %.1f, want about 70", v.Baseline)
	}
}

// machine is a loop of four channels: flow follows speed, power follows both,
// temperature wanders.
func machine(seed uint64, fault func(i int, v []float64)) func(i int) []float64 {
	r := rand.New(rand.NewPCG(seed, 2))
	temperature := 40.0
	return func(i int) []float64 {
		speed := 50 + 5*math.Sin(float64(i)/40) + r.NormFloat64()
		flow := 0.6*speed + 0.3*r.NormFloat64()
		power := 0.02*speed*flow + 0.5*r.NormFloat64()
		temperature += 0.02 * r.NormFloat64()
		v := []float64{speed, flow, power, temperature + 0.05*r.NormFloat64()}
		fault(i, v)
		return v
	}
}

func TestDeviceTellsWhatDoesNotFollow(t *testing.T) {
	for name, fault := range map[string]func(v []float64){
		"a valve closes":           func(v []float64) { v[1] *= 0.85 },
		"a sensor stands still":    func(v []float64) { v[0] = 50 },
		"everything leaps at once": func(v []float64) { v[0], v[1], v[2] = v[0]*3, v[1]*3, v[2]*9 },
	} {
		d := detector(t, detect.Device, 4)
		source := machine(5, func(i int, v []float64) {
			if i >= 2000 && i < 2200 {
				fault(v)
			}
		})
		rose, up := run(d, 0, 2000, time.Second, source)
		quiet(t, name+": before", rose, 4)
		if up > 60 {
			t.Errorf("%s: flagged %d of 2000 samples before", name, up)
		}
		rose, _ = run(d, 2000, 200, time.Second, source)
		risen(t, name, rose, 2000, 2080)
		if _, up = run(d, 2200, 300, time.Second, source); up > 120 {
			t.Errorf("%s: still flagged %d of 300 samples after", name, up)
		}
	}
}

// TestDeviceAlarmClosesWhenItIsHowThingsAre: a valve that was set for good is told
// once, not for weeks.
func TestDeviceAlarmClosesWhenItIsHowThingsAre(t *testing.T) {
	d := detector(t, detect.Device, 4)
	source := machine(5, func(i int, v []float64) {
		if i >= 2000 {
			v[1] *= 0.85
		}
	})
	run(d, 0, 2000, time.Hour, source)
	rose, _ := run(d, 2000, 700, time.Hour, source)
	risen(t, "set", rose, 2000, 2080)
	if rose, up := run(d, 2700, 2000, time.Hour, source); up > 60 {
		t.Errorf("set long ago: flagged %d of 2000 samples, risen at %v", up, rose)
	}
}

func TestDeviceLearnsAnewAfterALongSilence(t *testing.T) {
	d := detector(t, detect.Device, 4)
	run(d, 0, 1000, time.Second, machine(5, func(int, []float64) {}))
	other := machine(6, func(_ int, v []float64) { v[1] *= 1.2 })
	for i := range 100 {
		v := d.Observe(start.Add(24*time.Hour+time.Duration(i)*time.Second), other(i)...)
		if v.Flag || v.Sure {
			t.Fatalf("sample %d after a day's silence: %+v", i, v)
		}
	}
}

// household is a register that is read each hour: nobody uses water at night.
func household(seed uint64, added func(i int) float64) func(i int) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	register := 1000.0
	return func(i int) []float64 {
		h := i % 24
		if h >= 6 && h <= 22 && r.Float64() < 0.7 {
			register += math.Round(2 + r.ExpFloat64()*25)
		}
		register += added(i)
		return []float64{register}
	}
}

func TestWaterMeterTellsLeaksAndStandstill(t *testing.T) {
	const fault = 60 * 24
	for name, c := range map[string]struct {
		litres float64
		hours  int
		within int
	}{
		"small leak": {2, 14 * 24, 36},
		"leak":       {25, 14 * 24, 24},
		"burst":      {400, 8, 8},
	} {
		source := household(1, func(i int) float64 { return c.litres * in(i, fault, fault+c.hours) })
		d := detector(t, detect.WaterMeter, 1)
		rose, _ := run(d, 0, fault, time.Hour, source)
		quiet(t, name+": before", rose, 0)
		rose, _ = run(d, fault, c.hours, time.Hour, source)
		risen(t, name, rose, fault, fault+c.within)
		if _, up := run(d, fault+c.hours, 7*24, time.Hour, source); up > 48 {
			t.Errorf("%s: flagged %d hours after it was mended", name, up)
		}
	}
	source := household(1, func(int) float64 { return 0 })
	d := detector(t, detect.WaterMeter, 1)
	run(d, 0, fault, time.Hour, source)
	still := source(fault)
	rose, up := run(d, fault, 20*24, time.Hour, func(int) []float64 { return still })
	risen(t, "stuck", rose, fault, fault+72)
	if up > 5*24 {
		t.Errorf("a register that stands still was flagged for %d hours; after three days nobody is at home", up)
	}
}

// TestWaterMeterTellsALeakOfAnySize leaves no flow out between those that are feared.
func TestWaterMeterTellsALeakOfAnySize(t *testing.T) {
	const fault = 60 * 24
	for litres := 2.0; litres < 700; litres = math.Ceil(litres * 1.07) {
		source := household(1, func(i int) float64 { return litres * in(i, fault, fault+14*24) })
		d := detector(t, detect.WaterMeter, 1)
		run(d, 0, fault, time.Hour, source)
		rose, _ := run(d, fault, 14*24, time.Hour, source)
		risen(t, fmt.Sprint(litres, " litres an hour"), rose, fault, fault+48)
	}
}

func TestWaterMeterBearsGapsAndGlitches(t *testing.T) {
	d := detector(t, detect.WaterMeter, 1)
	source := household(2, func(int) float64 { return 0 })
	rose, _ := run(d, 0, 90*24, time.Hour, func(i int) []float64 {
		v := source(i)
		switch {
		case i%97 == 0:
			v[0] = math.NaN()
		case i%501 == 0:
			v[0] = 0
		}
		return v
	})
	quiet(t, "gaps and glitches", rose, 1)
}

// building uses more on workdays.
func building(seed uint64, fault func(i int, x float64) float64) func(i int) []float64 {
	r := rand.New(rand.NewPCG(seed, 4))
	return func(i int) []float64 {
		h, day := i%24, i/24%7
		x := 20.0
		if h >= 7 && h < 19 && day < 5 {
			x = 60
		}
		return []float64{fault(i, x*(1+0.05*r.NormFloat64()))}
	}
}

func TestElectricityMeterTellsWhatIsOffTheWeek(t *testing.T) {
	const week = 7 * 24
	const fault = 10*week + 2*24 + 18 // a Wednesday evening
	for name, c := range map[string]struct {
		fault  func(x float64) float64
		hours  int
		within int
	}{
		"nights on":  {func(x float64) float64 { return max(x, 48) }, week, 24},
		"phase loss": {func(x float64) float64 { return 0.67 * x }, 10 * 24, 24},
		"spike":      {func(x float64) float64 { return 4 * x }, 2, 2},
		"stuck":      {func(float64) float64 { return 33 }, 72, 24},
	} {
		source := building(1, func(i int, x float64) float64 {
			if i >= fault && i < fault+c.hours {
				return c.fault(x)
			}
			return x
		})
		d := detector(t, detect.ElectricityMeter, 1)
		rose, _ := run(d, 0, fault, time.Hour, source)
		quiet(t, name+": before", rose, 1)
		rose, _ = run(d, fault, c.hours, time.Hour, source)
		risen(t, name, rose, fault, fault+c.within)
		if _, up := run(d, fault+c.hours, 6*week, time.Hour, source); up > 2*week {
			t.Errorf("%s: flagged %d hours after it ended", name, up)
		}
	}
}

// sources are something to see for each kind.
func sources() map[detect.Kind]func(i int) []float64 {
	return map[detect.Kind]func(i int) []float64{
		detect.Series:           wave(1),
		detect.Device:           machine(1, func(i int, v []float64) { v[1] -= 5 * in(i, 700, 750) }),
		detect.WaterMeter:       household(1, func(i int) float64 { return 25 * in(i, 700, 800) }),
		detect.ElectricityMeter: building(1, func(i int, x float64) float64 { return x * (1 + 3*in(i, 700, 710)) }),
	}
}

func TestNothingIsFlaggedBeforeItIsSure(t *testing.T) {
	for kind, source := range sources() {
		d := detector(t, kind, len(source(0)))
		sure := false
		for i := range 1000 {
			v := d.Observe(start.Add(time.Duration(i)*time.Hour), source(i)...)
			if v.Flag && !v.Sure || sure && !v.Sure || v.Score < 0 || v.Score > 1 {
				t.Fatalf("%s: sample %d: %+v", kind, i, v)
			}
			sure = v.Sure
		}
		if !sure {
			t.Errorf("%s is never sure", kind)
		}
	}
}

func TestRestoreGoesOnExactly(t *testing.T) {
	for kind, source := range sources() {
		a := detector(t, kind, len(source(0)))
		for i := range 1000 {
			at, v := start.Add(time.Duration(i)*time.Hour), slices.Clone(source(i))
			want := a.Observe(at, v...)
			data, err := a.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if i%50 != 0 {
				continue
			}
			b := detector(t, kind, len(v))
			if err := b.Restore(data); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			// The same sample again is no news to either.
			if got := b.Observe(at, v...); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: sample %d: %+v after Restore, want %+v", kind, i, got, want)
			}
			a = b
		}
		if again, err := a.Snapshot(); err != nil || len(again) == 0 {
			t.Errorf("%s: %v", kind, err)
		}
		other := detector(t, detect.Series, 1)
		if kind == detect.Series {
			other = detector(t, detect.WaterMeter, 1)
		}
		data, _ := a.Snapshot()
		if other.Restore(data) == nil {
			t.Errorf("a detector of another kind takes up the state of %s", kind)
		}
	}
}

// TestRestoredDoesWhatItWouldHaveDone compares a detector that goes on with one that
// is restored at each sample.
func TestRestoredDoesWhatItWouldHaveDone(t *testing.T) {
	for kind, source := range sources() {
		a, b := detector(t, kind, len(source(0))), detector(t, kind, len(source(0)))
		for i := range 900 {
			at, v := start.Add(time.Duration(i)*time.Hour), slices.Clone(source(i))
			want, got := a.Observe(at, v...), b.Observe(at, v...)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: sample %d: %+v, want %+v", kind, i, got, want)
			}
			if i%7 != 0 {
				continue
			}
			data, err := b.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			b = detector(t, kind, len(v))
			if err := b.Restore(data); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSamplesThatAreNoneChangeNothing(t *testing.T) {
	for kind, source := range sources() {
		d := detector(t, kind, len(source(0)))
		run(d, 0, 100, time.Hour, source)
		before, _ := d.Snapshot()
		d.Observe(start, source(0)...)           // earlier
		d.Observe(start.Add(200 * time.Hour))    // no values
		d.Observe(start.Add(99*time.Hour), 1, 2) // too many, or too few
		if kind != detect.Device {
			d.Observe(start.Add(200*time.Hour), math.Inf(1))
			d.Observe(start.Add(200*time.Hour), math.NaN())
		}
		if after, _ := d.Snapshot(); !slices.Equal(before, after) {
			t.Errorf("%s has learned from samples that are none", kind)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		kind     detect.Kind
		channels int
	}{{"", 1}, {"gas", 1}, {detect.Device, 0}, {detect.Device, detect.MostChannels + 1}, {detect.WaterMeter, 2}} {
		if _, err := detect.New(c.kind, detect.Settings{Channels: c.channels}); err == nil {
			t.Errorf("New(%q, %d channels) is no error", c.kind, c.channels)
		}
	}
}

// FuzzObserve looks for values after which a detector says what is no score, or
// cannot be kept.
func FuzzObserve(f *testing.F) {
	f.Add(uint8(0), 1.0, 2.0, 1e300, int64(60))
	f.Add(uint8(1), -1e100, 1e100, 0.0, int64(1))
	f.Add(uint8(2), 0.0, 1e99, -5.0, int64(3600))
	f.Add(uint8(3), 1e-300, -3.0, math.Pi, int64(86400))
	kinds := []detect.Kind{detect.Series, detect.Device, detect.WaterMeter, detect.ElectricityMeter}
	f.Fuzz(func(t *testing.T, kind uint8, a, b, c float64, step int64) {
		k := kinds[int(kind)%len(kinds)]
		d := detector(t, k, 1)
		step = min(max(step, 1), 1e6)
		for i := range 700 {
			x := []float64{a, b, c, a + b*float64(i%5)}[i*i%4]
			v := d.Observe(start.Add(time.Duration(int64(i)*step)*time.Second), x)
			if !(v.Score >= 0 && v.Score <= 1) || math.IsInf(v.Baseline, 0) || k != detect.Device && math.IsNaN(v.Baseline) {
				t.Fatalf("%s: sample %d (%g): %+v", k, i, x, v)
			}
		}
		data, err := d.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if err := detector(t, k, 1).Restore(data); err != nil {
			t.Fatalf("%s: what was kept cannot be taken up: %v", k, err)
		}
	})
}

// FuzzRestore looks for bytes that break a detector instead of being refused.
func FuzzRestore(f *testing.F) {
	for kind, source := range sources() {
		d := detector(f, kind, len(source(0)))
		run(d, 0, 50, time.Hour, source)
		data, _ := d.Snapshot()
		f.Add(data)
		f.Add(data[:len(data)-4]) // without its checksum
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []detect.Kind{detect.Series, detect.WaterMeter, detect.ElectricityMeter} {
			d := detector(t, kind, 1)
			whole := binary.LittleEndian.AppendUint32(slices.Clone(data), crc32.ChecksumIEEE(data))
			if d.Restore(data) != nil && d.Restore(whole) != nil {
				continue
			}
			for i := range 30 {
				d.Observe(start.AddDate(100, 0, i), float64(i))
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	for _, kind := range []detect.Kind{detect.Series, detect.Device, detect.WaterMeter, detect.ElectricityMeter} {
		b.Run(string(kind), func(b *testing.B) {
			source := sources()[kind]
			v := make([][]float64, 4096)
			for i := range v {
				v[i] = slices.Clone(source(i))
			}
			d := detector(b, kind, len(v[0]))
			i := 0
			for b.Loop() {
				d.Observe(start.Add(time.Duration(i)*time.Hour), v[i%len(v)]...)
				i++
			}
			b.ReportAllocs()
		})
	}
}
