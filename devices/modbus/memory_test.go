package modbus

import (
	"testing"
	"time"

	"gengfu/devices/profile"
)

// An alarm that is over before it can be told from a reply that comes again is
// believed at once, as long as nothing has ever come again or too late.
func TestAnAlarmThatIsShortIsBelievedAtOnceOnACalmLine(t *testing.T) {
	alarms := Request{1, profile.Discrete, 0, 8}
	trouble := map[string]func(s *staged, end time.Time){
		"none":          func(*staged, time.Time) {},
		"a stray reply": func(s *staged, end time.Time) { s.later(end.Add(20*time.Millisecond), s.wrap([]byte{9, 3, 2, 1, 2})) },
	}
	for name, spoil := range trouble {
		t.Run(name, func(t *testing.T) {
			alarm := byte(0)
			onStage(t, func(s *staged, request []byte, sent time.Time) {
				body := s.body(request)
				reply := append([]byte{1, 2, byte((int(body[5]) + 7) / 8), alarm}, make([]byte, (int(body[5])-1)/8)...)
				end := s.send(sent.Add(5*time.Millisecond), s.wrap(reply))
				if len(s.asked) == 1 {
					spoil(s, end)
				}
			}, func(t *testing.T, s *staged) {
				polls := 0
				for range 10 {
					for _, alarm = range []byte{0, 1, 0, 3, 0, 1} {
						words, err := s.master.Read(t.Context(), alarms, Timing{})
						if err != nil || byte(words[0]+2*words[1]) != alarm {
							t.Fatalf("got %v, %v; want %d", words, err, alarm)
						}
						polls++
						<-time.After(50 * time.Millisecond)
					}
				}
				if again := len(s.asked) - polls; (again > 0) != (name != "none") {
					t.Errorf("%d polls, and %d were doubted", polls, again)
				}
			})
		})
	}
}
