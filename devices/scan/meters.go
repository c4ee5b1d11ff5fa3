package scan

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// Lengths of replies that are waited for, in bytes.
const (
	reply645  = 44
	reply188  = 63
	replyMBus = 261
)

// few are so many bytes of noise that no meter needs to have sent them.
const fewBytes = 4

// find645 asks all meters of both editions at once, and searches by parts of the
// address when more than one answers.
func (w *sweeping) find645(ctx context.Context, step Step) error {
	for i, frame := range anyone645() {
		h, err := w.talk.Listen(ctx, sniff.DLT645, frame, reply645, meterPatience)
		if err != nil {
			return err
		}
		if err := w.take(ctx, step, h); err != nil {
			return err
		}
		if frames, noise := h.Frames(); len(frames) > 1 || noise > fewBytes {
			edition := dlt645.Edition(i)
			if err := w.search645(ctx, step, edition, "", w.quick(h)); err != nil {
				return err
			}
		}
	}
	return nil
}

// quick is how long to wait for an answer when something has answered so soon.
func (w *sweeping) quick(h Heard) time.Duration {
	if h.First == 0 {
		return meterPatience
	}
	return min(meterPatience, max(80*time.Millisecond, 2*h.First+50*time.Millisecond))
}

// search645 tries all pairs of digits before those that are known, from the lowest.
func (w *sweeping) search645(ctx context.Context, step Step, edition dlt645.Edition, low string, patience time.Duration) error {
	const digits = 12
	di := dlt645.DI{Edition: edition, Code: map[dlt645.Edition]uint32{dlt645.Edition2007: 0x00010000, dlt645.Edition1997: 0x9010}[edition]}
	for pair := range 100 {
		known := fmt.Sprintf("%02d%s", pair, low)
		w.doing(step, "meters collide: searching addresses that end in "+known)
		a, err := dlt645.ParseAddress(pad(known, digits))
		if err != nil {
			continue // all nines
		}
		h, err := w.talk.Listen(ctx, sniff.DLT645, dlt645.Read(a, di).Bytes(), reply645, patience)
		if err != nil {
			return err
		}
		if err := w.take(ctx, step, h); err != nil {
			return err
		}
		if frames, noise := h.Frames(); noise > fewBytes && len(frames) == 0 && len(known) < digits {
			if err := w.search645(ctx, step, edition, known, patience); err != nil {
				return err
			}
		}
	}
	return nil
}

// pad puts the wildcard before the digits that are known.
func pad(known string, digits int) string {
	for len(known) < digits {
		known = "AA" + known
	}
	return known
}

// find188 asks all meters in both orders of the identifier.
func (w *sweeping) find188(ctx context.Context, step Step) error {
	for _, order := range []cjt188.Order{cjt188.HighFirst, cjt188.LowFirst} {
		h, err := w.talk.Listen(ctx, sniff.CJT188, w.ask188(cjt188.Any(), order), reply188, meterPatience)
		if err != nil {
			return err
		}
		if err := w.take(ctx, step, h); err != nil {
			return err
		}
		if frames, noise := h.Frames(); len(frames) > 1 || noise > fewBytes {
			if err := w.search188(ctx, step, order, "", w.quick(h)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *sweeping) ask188(a cjt188.Address, order cjt188.Order) []byte {
	m := cjt188.Meter{Type: cjt188.AnyType, Address: a, Order: order, AnySerial: true}
	return cjt188.Read(m, cjt188.Current, byte(len(w.found)+1)).Bytes()
}

func (w *sweeping) search188(ctx context.Context, step Step, order cjt188.Order, low string, patience time.Duration) error {
	const digits = 14
	for pair := range 100 {
		known := fmt.Sprintf("%02d%s", pair, low)
		w.doing(step, "meters collide: searching addresses that end in "+known)
		a, err := cjt188.ParseAddress(pad(known, digits))
		if err != nil {
			continue // all nines
		}
		h, err := w.talk.Listen(ctx, sniff.CJT188, w.ask188(a, order), reply188, patience)
		if err != nil {
			return err
		}
		if err := w.take(ctx, step, h); err != nil {
			return err
		}
		if frames, noise := h.Frames(); noise > fewBytes && len(frames) == 0 && len(known) < digits {
			if err := w.search188(ctx, step, order, known, patience); err != nil {
				return err
			}
		}
	}
	return nil
}

// findMBus asks all meters by the primary address of all, and searches by the digits
// of their secondary addresses when more than one answers.
func (w *sweeping) findMBus(ctx context.Context, step Step) error {
	if _, err := w.talk.Listen(ctx, sniff.MBus, mbus.Initialise(mbus.Selected).Bytes(), 1, mbusPatience); err != nil {
		return err
	}
	h, err := w.talk.Listen(ctx, sniff.MBus, askMBus(mbus.Anyone), replyMBus, mbusPatience)
	if err != nil {
		return err
	}
	frames, noise := h.Frames()
	if len(frames) == 1 && noise <= fewBytes {
		return w.take(ctx, step, h)
	}
	if len(frames) == 0 && noise <= fewBytes {
		return nil
	}
	return w.searchMBus(ctx, step, "")
}

// searchMBus tries all digits behind those that are known, from the highest.
func (w *sweeping) searchMBus(ctx context.Context, step Step, high string) error {
	const digits = 8
	for digit := range 10 {
		known := high + strconv.Itoa(digit)
		w.doing(step, "meters collide: searching numbers that begin with "+known)
		number := known
		for len(number) < digits {
			number += "F"
		}
		s, err := mbus.ParseSecondary(number)
		if err != nil {
			return err
		}
		h, err := w.talk.Listen(ctx, sniff.MBus, mbus.Select(s).Bytes(), 1, mbusPatience)
		if err != nil {
			return err
		}
		if len(h.Received) == 0 {
			continue
		}
		data, err := w.talk.Listen(ctx, sniff.MBus, askMBus(mbus.Selected), replyMBus, mbusPatience)
		if err != nil {
			return err
		}
		frames, noise := data.Frames()
		if len(frames) == 1 && noise <= fewBytes {
			if err := w.take(ctx, step, data); err != nil {
				return err
			}
			continue
		}
		if len(known) < digits && (len(frames) > 1 || noise > 0) {
			if err := w.searchMBus(ctx, step, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// take names the meters whose frames came.
func (w *sweeping) take(ctx context.Context, step Step, h Heard) error {
	frames, _ := h.Frames()
	for _, f := range frames {
		if f.Protocol != step.Protocol || f.Refused {
			continue
		}
		d := Device{Setting: w.at, Protocol: f.Protocol, Address: f.Address, MeterType: f.MeterType(), Turnaround: h.First.Round(time.Millisecond)}
		if s, ok := f.Secondary(); ok && (f.Address == "0" || w.has(f.Protocol, f.Address)) {
			d.Address = s.String() // a new meter, or one of two with the same primary address
		}
		if w.has(f.Protocol, d.Address) {
			continue
		}
		if f.Protocol == sniff.CJT188 {
			d.LowFirst = lowFirst(h.Request)
		}
		w.doing(step, "naming the meter "+d.Address)
		var err error
		if d.Candidates, err = w.nameMeter(ctx, d, h, f); err != nil {
			return err
		}
		w.found = append(w.found, d)
		w.announce(d)
	}
	return nil
}

// lowFirst reports whether a request of CJ/T 188 has the low byte of 901F first.
func lowFirst(request []byte) bool {
	const behindAddress = 4 + 11 // preamble, and the frame up to the identifier
	return len(request) > behindAddress && request[behindAddress] == byte(cjt188.Current&0xFF)
}

func (w *sweeping) nameMeter(ctx context.Context, d Device, h Heard, f sniff.Frame) ([]Candidate, error) {
	languages := map[sniff.Protocol]profile.Protocol{sniff.DLT645: profile.DLT645, sniff.CJT188: profile.CJT188, sniff.MBus: profile.MBus}
	models := w.speaking(languages[d.Protocol])
	var answers []Answer
	if d.Protocol == sniff.MBus {
		answers = []Answer{{Request: h.Request, Reply: f.Bytes, Type: d.MeterType}}
		return Recognise(answers, models), nil
	}
	silences := 0
	for len(answers) < mostQuestions {
		q, ok := Next(answers, models)
		if !ok {
			break
		}
		a, err := w.askItem(ctx, d, q)
		if err == nil && a.Outcome == Unheard && silences < fewSilences { // one answer may be lost
			silences++
			a, err = w.askItem(ctx, d, q)
		}
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return Recognise(answers, models), nil
}

func (w *sweeping) askItem(ctx context.Context, d Device, q Question) (Answer, error) {
	a := Answer{Question: q, Outcome: Unheard, Type: d.MeterType}
	frame, err := itemRequest(d, q.Item)
	if err != nil {
		return a, nil //nolint:nilerr // an item of the profile that no meter can be asked for
	}
	expect := reply645
	if d.Protocol == sniff.CJT188 {
		expect = reply188
	}
	h, err := w.talk.Ask(ctx, d.Protocol, frame, expect, max(meterPatience/2, 2*d.Turnaround))
	if err != nil {
		return a, err
	}
	a.Request, a.Reply = h.Request, h.Reply
	switch {
	case h.Reply == nil:
	case h.Problem != "":
		a.Outcome = Refused
	default:
		a.Outcome = Answered
	}
	return a, nil
}

// ItemRequest returns the request for an item of a meter of DL/T 645 or CJ/T 188.
func ItemRequest(d Device, item string) ([]byte, error) { return itemRequest(d, item) }

// MBusRequest returns the request for the data of a meter by its primary address.
func MBusRequest(address byte) []byte { return askMBus(address) }

func itemRequest(d Device, item string) ([]byte, error) {
	if d.Protocol == sniff.DLT645 {
		a, err := dlt645.ParseAddress(d.Address)
		if err != nil {
			return nil, err
		}
		di, err := dlt645.ParseDI(item)
		if err != nil {
			return nil, err
		}
		return dlt645.Read(a, di).Bytes(), nil
	}
	a, err := cjt188.ParseAddress(d.Address)
	if err != nil {
		return nil, err
	}
	di, err := cjt188.ParseDI(item)
	if err != nil {
		return nil, err
	}
	m := cjt188.Meter{Type: cjt188.MeterType(d.MeterType), Address: a, AnySerial: true}
	if d.LowFirst {
		m.Order = cjt188.LowFirst
	}
	return cjt188.Read(m, di, 1).Bytes(), nil
}
