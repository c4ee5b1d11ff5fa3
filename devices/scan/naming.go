package scan

import (
	"context"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// mostQuestions bounds what one device is asked.
const mostQuestions = 120

// What is asked again. A device may be silent on what it does not have: once it was so
// on a few questions, more of its silence is believed sooner.
const (
	attempts      = 3
	fewAttempts   = 2
	mostDoubted   = 6
	fewSilences   = 4
	lateAnswers   = 5 * time.Second // for so long after an answer was lost it may still come
	mostImpatient = time.Second     // that is waited for an answer when it is asked for again
)

// naming is the interview of one slave of Modbus. A lost answer is asked for again. As
// its late answer could be taken for that to another question, what is heard after it
// counts only when the device answers in its order: it is asked for something of another
// function, and says nothing more of the question until then. A refusal names nothing,
// and must then be heard twice.
type naming struct {
	*sweeping
	device    Device
	unit      int
	patience  time.Duration
	silences  int       // questions on which it was silent
	disturbed time.Time // when an answer was last lost
}

func (w *sweeping) nameModbus(ctx context.Context, d Device, unit int) ([]Candidate, error) {
	models := w.speaking(profile.Modbus)
	n := naming{sweeping: w, device: d, unit: unit, patience: max(w.patience(), 3*d.Turnaround+30*time.Millisecond)}
	var answers []Answer
	for len(answers) < mostQuestions {
		q, ok := Next(answers, models)
		if !ok {
			break
		}
		a, err := n.ask(ctx, q)
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return Recognise(answers, models), nil
}

// ask returns the answer to a question, asked for again where it was lost or in doubt.
func (n *naming) ask(ctx context.Context, q Question) (Answer, error) {
	tries := attempts
	if n.silences >= fewSilences {
		tries = fewAttempts
	}
	patience := n.patience
	for lost, doubted, refused := 0, 0, 0; lost < tries && doubted < mostDoubted; {
		a, more, err := n.once(ctx, q, patience)
		if err != nil {
			return a, err
		}
		if more || a.Outcome == Unheard {
			n.disturbed = time.Now()
		}
		if a.Outcome == Unheard {
			lost++
			patience = max(patience, min(2*patience, mostImpatient))
			continue
		}
		switch inOrder, err := n.inOrder(ctx, q); {
		case err != nil:
			return a, err
		case !inOrder:
			doubted++
		case a.Outcome == Refused && n.unsettled() && refused == 0:
			refused++ // a converter may have held back the refusal of an earlier question
		default:
			return a, nil
		}
	}
	n.silences++
	return Answer{Question: q, Outcome: Unheard}, nil
}

// once asks the question. More is true when the device has said more than the answer.
func (n *naming) once(ctx context.Context, q Question, patience time.Duration) (a Answer, more bool, err error) {
	a = Answer{Question: q, Outcome: Unheard}
	h, err := n.talk.Modbus(ctx, n.device.Protocol, n.unit, q, patience)
	if err != nil {
		return a, false, err
	}
	if words := h.Words(); words != nil {
		a.Words, a.Outcome = words, Answered
	} else if h.Code >= 0 {
		a.Outcome = Refused
	}
	return a, n.noteLate(n.device.Protocol, n.unit), nil
}

// unsettled reports whether the late answer to an earlier question may still come.
func (n *naming) unsettled() bool {
	return n.device.Protocol != sniff.ModbusTCP && time.Since(n.disturbed) < lateAnswers
}

// inOrder reports whether what was heard is the answer to the question, and not to an
// earlier one: its own would come before that to something of another function.
func (n *naming) inOrder(ctx context.Context, q Question) (bool, error) {
	if !n.unsettled() {
		return true, nil
	}
	other := Question{Table: profile.Holding, Count: 1}
	if q.Table == profile.Holding {
		other.Table = profile.Input
	}
	_, more, err := n.once(ctx, other, n.patience)
	if more {
		n.disturbed = time.Now()
	}
	return !more, err
}
