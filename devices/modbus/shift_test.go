package modbus

import (
	"testing"
	"time"

	"gengfu/devices/profile"
)

// A reply comes a second time when its request is made again, just before the reply to
// that. What it says is one poll old; but the reply behind it says something new, and
// is not that to the next request, for other registers.
func TestAReplyBehindOneThatCameAgainIsNotThatToTheNext(t *testing.T) {
	const warm = 20 // replies until the bus knows that the line paces
	other := Request{2, profile.Input, 0, 1}
	for name, between := range map[string][]Request{"at once": nil, "after another": {other}} {
		t.Run(name, func(t *testing.T) {
			for ahead := 19 * time.Millisecond; ahead < 48*time.Millisecond; ahead += 500 * time.Microsecond {
				var first []byte
				onStage(t, func(s *staged, request []byte, sent time.Time) {
					reply, begins := s.answer(s.body(request), sent), sent.Add(5*time.Millisecond)
					switch len(s.asked) {
					case 1: // nobody has asked for this: the line is not calm
						s.later(begins.Add(60*time.Millisecond), s.wrap([]byte{9, 3, 2, 1, 2}))
					case warm + 1:
						first = reply
					case warm + 2 + len(between):
						s.send(begins, first)
						begins = begins.Add(ahead)
					}
					s.send(begins, reply)
				}, func(t *testing.T, s *staged) {
					for range warm {
						s.want(other)
						<-time.After(100 * time.Millisecond)
					}
					s.want(here)
					for _, r := range between {
						s.want(r)
					}
					if _, err := s.master.Read(t.Context(), here, Timing{}); err != nil {
						t.Error(err)
					}
					s.read(there, Timing{})
					s.want(there)
				})
			}
		})
	}
}
