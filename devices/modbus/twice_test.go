package modbus

import (
	"testing"
	"time"

	"gengfu/devices/profile"
)

// A converter that is set wrong sends every reply twice. Who sits behind it is read
// at a decent rate, and never wrong.
func TestASlaveOfWhichEveryReplyComesTwiceIsRead(t *testing.T) {
	polled := []Request{here, there, {1, profile.Holding, 100, 20}, {1, profile.Holding, 130, 20}}
	polls := func(s *staged) (took time.Duration, lost int) {
		began := time.Now()
		for i := range 40 {
			if !s.read(polled[i%len(polled)], Timing{}) {
				lost++
			}
		}
		return time.Since(began) / 40, lost
	}
	var sound time.Duration // of a poll with a device that answers once
	onStage(t, func(s *staged, request []byte, sent time.Time) { s.honest(request, sent) }, func(t *testing.T, s *staged) {
		took, _ := polls(s)
		sound = max(sound, took)
	})
	for _, again := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 12 * time.Millisecond, 40 * time.Millisecond, 90 * time.Millisecond} {
		onStage(t, func(s *staged, request []byte, sent time.Time) {
			end := s.honest(request, sent)
			s.send(end.Add(again), s.answer(s.body(request), sent))
		}, func(t *testing.T, s *staged) {
			s.master.bus.Attach(s)
			took, lost := polls(s)
			if lost > 1 || len(s.asked) > 50 || took > 3*sound+2*again {
				t.Errorf("%v: %d of 40 polls were lost, in %d requests of %v each; %v when sound", again, lost, len(s.asked), took, sound)
			}
			if !s.master.TwiceTold(1) {
				t.Errorf("%v: nothing was learned of it", again)
			}
		})
	}
}

// A slave that answers once again is asked as any other.
func TestASlaveThatWasMendedAnswersOnce(t *testing.T) {
	onStage(t, func(s *staged, request []byte, sent time.Time) {
		end := s.honest(request, sent)
		if len(s.asked) <= 20 {
			s.send(end.Add(time.Millisecond), s.answer(s.body(request), sent))
		}
	}, func(t *testing.T, s *staged) {
		for range 15 {
			s.read(here, Timing{})
			s.read(there, Timing{})
		}
		if s.master.TwiceTold(1) {
			t.Error("it is still thought to answer twice")
		}
		<-time.After(lateness)
		asked := len(s.asked)
		for range 10 {
			s.want(here)
			s.want(there)
		}
		if n := len(s.asked) - asked; n != 20 {
			t.Errorf("20 polls took %d requests", n)
		}
	})
}
