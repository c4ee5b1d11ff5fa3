package bus

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

func TestPaceStaysWithinItsBounds(t *testing.T) {
	p := NewPace(50*ms, time.Second)
	if got := p.Timeout(); got != time.Second {
		t.Errorf("before anything is known: %s", got)
	}
	for range 100 {
		p.Observe(5 * ms)
	}
	if got := p.Timeout(); got != 50*ms {
		t.Errorf("of a quick slave: %s", got)
	}
	for range 100 {
		p.Observe(700 * ms)
	}
	if got := p.Timeout(); got != time.Second {
		t.Errorf("of a slow slave: %s", got)
	}
	if p := NewPace(2*time.Second, time.Second); p.Timeout() != time.Second {
		t.Errorf("with bounds the wrong way round: %s", p.Timeout())
	}
}

func TestPaceIsThreeTimesTheSlowestOfLate(t *testing.T) {
	p := NewPace(10*ms, 5*time.Second)
	for i := range 40 {
		p.Observe(20 * ms)
		if i == 20 {
			p.Observe(200 * ms)
		}
		if i >= 21 && i < 35 && p.Timeout() < 600*ms {
			t.Fatalf("%d replies after one of 200 ms: %s", i-20, p.Timeout())
		}
	}
	if got := p.Timeout(); got < 60*ms || got > 300*ms {
		t.Errorf("when the slow one is long ago: %s", got)
	}
	if got := p.Turnaround(); got < 15*ms || got > 45*ms {
		t.Errorf("typical: %s", got)
	}
}

// A slave whose replies vary is never timed out by what was learned of it.
func TestPaceAllowsForWhatVaries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	p := NewPace(10*ms, 5*time.Second)
	missed := 0
	for range 10_000 {
		took := 20*ms + time.Duration(random.ExpFloat64()*float64(15*ms))
		if took > p.Timeout() {
			missed++
			p.Missed()
			continue
		}
		p.Observe(took)
	}
	if missed > 10 {
		t.Errorf("%d of 10000 replies were timed out", missed)
	}
}

func TestPaceWaitsLongerAfterATimeout(t *testing.T) {
	p := NewPace(10*ms, time.Second)
	for range 20 {
		p.Observe(10 * ms)
	}
	first := p.Timeout()
	p.Missed()
	second := p.Timeout()
	p.Missed()
	if first > 60*ms || second <= first || p.Timeout() != time.Second {
		t.Errorf("%s, %s, %s", first, second, p.Timeout())
	}
	p.Observe(10 * ms)
	if p.Timeout() != first {
		t.Errorf("when it answers again: %s", p.Timeout())
	}
}

func TestPaceLearnsHowLateRepliesAre(t *testing.T) {
	p := NewPace(100*ms, 500*ms)
	if got := p.Window(); got != time.Second {
		t.Errorf("when none was late: %s", got)
	}
	p.Late(2 * time.Second)
	if got := p.Window(); got != 2500*ms-p.Timeout() {
		t.Errorf("after one of 2 s: %s", got)
	}
	p.Late(time.Minute)
	if got := p.Window(); got != longestWindow {
		t.Errorf("after one of a minute: %s", got)
	}
	for range 5000 {
		p.Observe(10 * ms)
	}
	if got := p.Window(); got != time.Second {
		t.Errorf("when that is long ago: %s", got)
	}
}

func TestNothingIsLateOfASpoiltReply(t *testing.T) {
	p := NewPace(250*time.Millisecond, time.Second)
	if got := p.Settled(); got != time.Second {
		t.Errorf("%v while nothing is known of the slave", got)
	}
	for range 8 {
		p.Observe(30 * time.Millisecond)
	}
	if got := p.Settled(); got != 250*time.Millisecond {
		t.Errorf("%v for a slave that is quick", got)
	}
	p.Late(800 * time.Millisecond)
	if got := p.Settled(); got != time.Second {
		t.Errorf("%v for a slave that was late once", got)
	}
	p.Late(time.Minute)
	if got := p.Settled(); got != longestWindow {
		t.Errorf("%v at most", got)
	}
}

func TestTheBusTeachesThePace(t *testing.T) {
	pace := NewPace(20*ms, time.Second)
	inWorld(t, Options{}, func(n int, _ string) []piece {
		if n > 10 {
			return nil
		}
		return prompt("<good>")
	}, func(t *testing.T, w *world) {
		for range 10 {
			if _, err := w.askAs(Ask{Pace: pace, Timeout: time.Second}); err != nil {
				t.Fatal(err)
			}
		}
		if pace.Turnaround() != 5*ms {
			t.Errorf("it learned %s, the slave takes 5ms", pace.Turnaround())
		}
		start := time.Now()
		if _, err := w.askAs(Ask{Pace: pace, Timeout: time.Second}); !errors.Is(err, ErrTimeout) {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 60*ms {
			t.Errorf("a lost reply of a slave that takes 5 ms cost %s", took)
		}
	})
}
