package hub

import (
	"context"

	"gengfu/facility"
)

// Hold keeps the judge from doing anything else until the channel is closed.
func (h *Hub) Hold(until <-chan struct{}) error {
	return h.judge.ask(context.Background(), func() (outcome, error) {
		<-until
		return outcome{}, nil
	})
}

// Held returns what the judge keeps quiet, by key.
func (h *Hub) Held() (held []facility.AlarmHold, err error) {
	err = h.judge.ask(context.Background(), func() (outcome, error) {
		for _, a := range h.judge.engine.Held() {
			held = append(held, a.Life.Holds(a.Alarm.Key)...)
		}
		return outcome{}, nil
	})
	return held, err
}
