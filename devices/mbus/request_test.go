package mbus_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"gengfu/devices/mbus"
)

func TestSecondaryAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"19004636":         "19004636FFFFFFFF",
		"4636":             "00004636FFFFFFFF",
		"1900FFFF":         "1900FFFFFFFFFFFF",
		"ffffffff":         "FFFFFFFFFFFFFFFF",
		"1900463677041407": "1900463677041407",
	} {
		got := secondary(t, in)
		text, err := got.MarshalText()
		var back mbus.Secondary
		if err != nil || string(text) != want || back.UnmarshalText(text) != nil || back != got {
			t.Errorf("%s: %s", in, text)
		}
	}
	for _, in := range []string{"", "190046360", "1900463A", "19 00", "190046367704140", "190046367704140G", "1900463A77041407"} {
		if got, err := mbus.ParseSecondary(in); err == nil {
			t.Errorf("%q became %s", in, got)
		}
	}
}

func TestSecondaryCovers(t *testing.T) {
	meter := secondary(t, "1900463677041407")
	if meter.Number() != "19004636" || meter.Maker() != "ACW" || meter.Version() != 0x14 || meter.Medium().String() != "water" {
		t.Errorf("%s %s %02X %s", meter.Number(), meter.Maker(), meter.Version(), meter.Medium())
	}
	if got := mbus.Medium(0x99).String(); got != "medium 99" {
		t.Error(got)
	}
	for in, want := range map[string]bool{
		"19004636": true, "1900463677041407": true, "F900463F": true, "FFFFFFFF": true, "FFFFFFFFFFFFFF07": true,
		"19004637": false, "29004636": false, "1900463678041407": false, "1900463677041507": false, "1900463677041406": false,
	} {
		if got := secondary(t, in).Covers(meter); got != want {
			t.Errorf("%s covers %s: %v", in, meter, got)
		}
	}
}

func TestRequests(t *testing.T) {
	itron := secondary(t, "19004636")
	for want, r := range map[string]mbus.Request{
		"10 40 01 41 16": mbus.Initialise(1),
		"10 40 FD 3D 16": mbus.Initialise(mbus.Selected),
		"10 5B 01 5C 16": mbus.Ask(1, false),
		"10 7B 01 7C 16": mbus.Ask(1, true),
		"10 7B FD 78 16": mbus.AskSelected(itron, true),
		"68 0B 0B 68 53 FD 52 36 46 00 19 FF FF FF FF 33 16": mbus.Select(itron),
	} {
		if got := r.Bytes(); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s: % X, want %s", r, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	ack := frameOf(t, "E5")
	water := frameOf(t, itronWater) // of address 2
	change := func(f func(*mbus.Frame)) mbus.Frame {
		c := water
		c.Data = bytes.Clone(c.Data)
		f(&c)
		return c
	}
	refusal := func(data ...byte) mbus.Frame {
		return mbus.Frame{Kind: mbus.Long, Control: 0x08, Address: 2, CI: 0x70, Data: data}
	}
	cases := []struct {
		name    string
		request mbus.Request
		frame   mbus.Frame
		err     error
	}{
		{"data", mbus.Ask(2, true), water, nil},
		{"with access demand and flow control", mbus.Ask(2, false), change(func(f *mbus.Frame) { f.Control = 0x38 }), nil},
		{"of anyone", mbus.Ask(mbus.Anyone, true), water, nil},
		{"of the selected", mbus.AskSelected(secondary(t, "19004636"), true), water, nil},
		{"of another than the selected", mbus.AskSelected(secondary(t, "19004637"), true), water, mbus.ErrForeign},
		{"of another address", mbus.Ask(3, true), water, mbus.ErrForeign},
		{"of nobody", mbus.Ask(mbus.Broadcast, true), water, mbus.ErrForeign},
		{"an acknowledgement instead", mbus.Ask(2, true), ack, mbus.ErrForeign},
		{"the echo", mbus.Ask(2, true), mbus.Ask(2, true).Frame, mbus.ErrForeign},
		{"no response", mbus.Ask(2, true), change(func(f *mbus.Frame) { f.Control = 0x53 }), mbus.ErrForeign},
		{"initialised", mbus.Initialise(2), ack, nil},
		{"selected", mbus.Select(secondary(t, "19004636")), ack, nil},
		{"late data after the selection", mbus.Select(secondary(t, "19004636")), water, mbus.ErrForeign},
		{"all initialised", mbus.Initialise(mbus.Broadcast), ack, mbus.ErrForeign},
		{"a fixed structure", mbus.Ask(2, true), change(func(f *mbus.Frame) { f.CI = 0x73 }), mbus.ErrMalformed},
		{"cut short", mbus.Ask(2, true), change(func(f *mbus.Frame) { f.Data = f.Data[:11] }), mbus.ErrMalformed},
		{"encrypted", mbus.Ask(2, true), change(func(f *mbus.Frame) { f.Data[11] = 0x05 }), mbus.ErrMalformed},
		{"refused", mbus.Ask(2, true), refusal(), mbus.Refusal{}},
		{"refused with a reason", mbus.Ask(2, true), refusal(8), mbus.Refusal{Code: 8}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.request.Match(c.frame)
			if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Fatalf("error %v", err)
			}
			if hasData := err == nil && c.frame.Kind == mbus.Long; hasData != (got.Address == 2 && got.Access == 0x9D && len(got.Records) > 0) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for code, want := range map[byte]string{
		0:  "the meter refuses with 00 (unspecified error)",
		8:  "the meter refuses with 08 (busy)",
		9:  "the meter refuses with 09 (too many readouts)",
		99: "the meter refuses with 63 (of the maker's own)",
	} {
		e := mbus.Refusal{Code: code}
		if e.Error() != want || e.Busy() != (code == 8) {
			t.Errorf("%s, busy %v", e, e.Busy())
		}
	}
}

func TestStatus(t *testing.T) {
	for status, want := range map[mbus.Status][]string{
		0x00: nil, 0x01: {"busy"}, 0x02: {"error"}, 0x03: {"abnormal"}, 0x04: {"power_low"},
		0x1C: {"power_low", "permanent_error", "temporary_error"}, 0xE0: nil,
	} {
		if got := status.Flags(); !slices.Equal(got, want) {
			t.Errorf("%02X: %v", status, got)
		}
	}
}

func TestReadoutOfTwoTelegrams(t *testing.T) {
	o := mbus.NewReadout(1, true, time.UTC)
	steps := []struct {
		request, frame string
		done           bool
		err            error
		records        int
	}{
		{"10 7B 01 7C 16", itronWater, false, mbus.ErrForeign, 0},
		{"10 7B 01 7C 16", garoFirst, false, nil, 11},
		{"10 5B 01 5C 16", itronWater, false, mbus.ErrForeign, 11},
		{"10 5B 01 5C 16", garoSecond, false, nil, 23},
		{"10 7B 01 7C 16", garoSecond, true, nil, 23}, // which ends with "more follows", and has no more
		{"10 5B 01 5C 16", garoSecond, true, mbus.ErrForeign, 23},
	}
	for i, s := range steps {
		if got := o.Request().Bytes(); !bytes.Equal(got, unhex(t, s.request)) {
			t.Errorf("step %d asks % X", i, got)
		}
		done, err := o.Take(frameOf(t, s.frame))
		if done != s.done || !errors.Is(err, s.err) || len(o.Records()) != s.records {
			t.Errorf("step %d: %v, %v, %d records", i, done, err, len(o.Records()))
		}
	}
	if got := o.Response().Identity; got.Number() != "90072114" || got.Maker() != "GAV" || o.Count() {
		t.Errorf("%s, next count %v", got, o.Count())
	}
}

func TestReadoutOfTheSelected(t *testing.T) {
	o := mbus.NewSelectedReadout(secondary(t, "19004636"), time.UTC)
	if got := o.Request().Bytes(); !bytes.Equal(got, unhex(t, "10 7B FD 78 16")) {
		t.Errorf("asks % X", got)
	}
	if _, err := o.Take(frameOf(t, padWater)); !errors.Is(err, mbus.ErrForeign) {
		t.Errorf("another meter: %v", err)
	}
	if done, err := o.Take(frameOf(t, itronWater)); !done || err != nil || len(o.Records()) != 7 {
		t.Errorf("%v, %v, %d records", done, err, len(o.Records()))
	}
}

func TestReadoutOfSpoiltRecords(t *testing.T) {
	f := frameOf(t, padWater)
	f.Data = append(f.Data, 0x04)
	if done, err := mbus.NewReadout(2, true, time.UTC).Take(f); done || !errors.Is(err, mbus.ErrMalformed) {
		t.Errorf("%v, %v", done, err)
	}
}

// A meter that always has more is given up.
func TestReadoutEnds(t *testing.T) {
	o := mbus.NewReadout(1, true, time.UTC)
	f := frameOf(t, garoFirst)
	var err error
	telegrams := 0
	for ; err == nil && telegrams < 100; telegrams++ {
		f.Data = bytes.Clone(f.Data)
		f.Data[14]++ // of the first value
		_, err = o.Take(f)
	}
	if !errors.Is(err, mbus.ErrMalformed) || telegrams != 16 {
		t.Errorf("%d telegrams, %v", telegrams, err)
	}
}
