package dlt645_test

import (
	"bytes"
	"errors"
	"testing"

	"gengfu/devices/dlt645"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]dlt645.Address{
		"000000000161": {0x61, 0x01},
		"161":          {0x61, 0x01},
		"123456789012": {0x12, 0x90, 0x78, 0x56, 0x34, 0x12},
		"aaaaAAaa0161": {0x61, 0x01, 0xAA, 0xAA, 0xAA, 0xAA},
		"AAAAAAAAAAAA": dlt645.Any(),
	} {
		got, err := dlt645.ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
		var back dlt645.Address
		text, err := got.MarshalText()
		if err != nil || back.UnmarshalText(text) != nil || back != want {
			t.Errorf("%s: written as %s", in, text)
		}
	}
	for _, in := range []string{"", "1234567890123", "12345A", "12 45", "1A", "999999999999", "FF", "十"} {
		if got, err := dlt645.ParseAddress(in); err == nil {
			t.Errorf("%q became %s", in, got)
		}
	}
}

func TestAddressCovers(t *testing.T) {
	meter := address(t, "910004920760")
	for in, want := range map[string]bool{
		"910004920760": true, "AAAAAAAAAAAA": true, "AAAAAAAA0760": true,
		"910004920761": false, "AAAAAAAA0761": false,
	} {
		if got := address(t, in).Covers(meter); got != want {
			t.Errorf("%s covers %s: %v", in, meter, got)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for in, want := range map[string]dlt645.DI{
		"0201ff00": {Code: 0x0201FF00},
		"9010":     {Edition: dlt645.Edition1997, Code: 0x9010},
	} {
		got := di(t, in)
		if got != want {
			t.Errorf("%s: %+v", in, got)
		}
		text, err := got.MarshalText()
		var back dlt645.DI
		if err != nil || back.UnmarshalText(text) != nil || back != want {
			t.Errorf("%s: written as %s", in, text)
		}
	}
	for _, in := range []string{"", "90", "901", "00010000 ", "0001000G", "000100000000"} {
		if got, err := dlt645.ParseDI(in); err == nil {
			t.Errorf("%q became %s", in, got)
		}
	}
}

func TestRequests(t *testing.T) {
	meter := address(t, "161")
	cases := []struct {
		request dlt645.Request
		want    string // without preamble
	}{
		{dlt645.Read(meter, di(t, "00010000")), "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"},
		{dlt645.Read(meter, di(t, "02010100")), "68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16"},
		{dlt645.Read(meter, di(t, "02020100")), "68 61 01 00 00 00 00 68 11 04 33 34 35 35 18 16"},
		{dlt645.Read(meter, di(t, "02030000")), "68 61 01 00 00 00 00 68 11 04 33 33 36 35 18 16"},
		{dlt645.Read(meter, di(t, "0201FF00")), "68 61 01 00 00 00 00 68 11 04 33 32 34 35 15 16"},
		{dlt645.Read(meter, di(t, "0202FF00")), "68 61 01 00 00 00 00 68 11 04 33 32 35 35 16 16"},
		{dlt645.Read(meter, di(t, "0203FF00")), "68 61 01 00 00 00 00 68 11 04 33 32 36 35 17 16"},
		{dlt645.Read(meter, di(t, "0206FF00")), "68 61 01 00 00 00 00 68 11 04 33 32 39 35 1A 16"},
		{dlt645.Read(meter, di(t, "02800002")), "68 61 01 00 00 00 00 68 11 04 35 33 B3 35 97 16"},
		{dlt645.Read(meter, di(t, "04000503")), "68 61 01 00 00 00 00 68 11 04 36 38 33 37 1F 16"},
		{dlt645.Read(address(t, "002241020208"), di(t, "04000402")), "68 08 02 02 41 22 00 68 11 04 35 37 33 37 2A 16"},
		{dlt645.Read(address(t, "123456789012"), di(t, "00010000")), "68 12 90 78 56 34 12 68 11 04 33 33 34 33 68 16"},
		{dlt645.AskAddress(), "68 AA AA AA AA AA AA 68 13 00 DF 16"},
		{dlt645.Read(address(t, "123456789012"), di(t, "9010")), "68 12 90 78 56 34 12 68 01 02 43 C3 8F 16"},
		{dlt645.Read(address(t, "138000130754"), di(t, "9010")), "68 54 07 13 00 80 13 68 01 02 43 C3 DA 16"},
		{dlt645.Read(address(t, "3"), di(t, "B611")), "68 03 00 00 00 00 00 68 01 02 44 E9 03 16"},
	}
	for _, c := range cases {
		want := append([]byte{0xFE, 0xFE, 0xFE, 0xFE}, unhex(t, c.want)...)
		if got := c.request.Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s: % X, want % X", c.request, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	energy := dlt645.Read(address(t, "161"), di(t, "00010000"))
	follow := dlt645.Request{Address: address(t, "161"), Control: dlt645.ReadFollowing, DI: di(t, "00010000"), Sequence: 2}
	reply := func(control dlt645.Control, data ...byte) dlt645.Frame {
		return dlt645.Frame{Address: address(t, "161"), Control: control, Data: data}
	}
	other := reply(0x91, 0, 0, 1, 0, 9, 9, 9, 9)
	other.Address = address(t, "162")
	cases := []struct {
		name    string
		request dlt645.Request
		frame   dlt645.Frame
		data    []byte
		more    bool
		err     error
	}{
		{"the reply", energy, reply(0x91, 0, 0, 1, 0, 0x26, 0, 0, 0), []byte{0x26, 0, 0, 0}, false, nil},
		{"more follows", energy, reply(0xB1, 0, 0, 1, 0, 0x26, 0, 0, 0), []byte{0x26, 0, 0, 0}, true, nil},
		{"the echo of the request", energy, energy.Frame(), nil, false, dlt645.ErrForeign},
		{"another meter", energy, other, nil, false, dlt645.ErrForeign},
		{"another item", energy, reply(0x91, 0, 0, 2, 0, 0x26, 0, 0, 0), nil, false, dlt645.ErrForeign},
		{"a part of it", energy, reply(0x92, 0, 0, 1, 0, 0x26, 1), nil, false, dlt645.ErrForeign},
		{"the edition of 1997", energy, reply(0x81, 0x10, 0x90, 0x26, 0, 0, 0), nil, false, dlt645.ErrForeign},
		{"no identifier", energy, reply(0x91, 0, 0, 1), nil, false, dlt645.ErrMalformed},
		{"part 2", follow, reply(0x92, 0, 0, 1, 0, 0x26, 2), []byte{0x26}, false, nil},
		{"part 2 of more", follow, reply(0xB2, 0, 0, 1, 0, 0x26, 2), []byte{0x26}, true, nil},
		{"part 1 again", follow, reply(0xB2, 0, 0, 1, 0, 0x26, 1), nil, false, dlt645.ErrForeign},
		{"no sequence number", follow, reply(0x92, 0, 0, 1, 0), nil, false, dlt645.ErrMalformed},
		{"refused without a reason", energy, reply(0xD1), nil, false, dlt645.ErrMalformed},
		{"refused", energy, reply(0xD1, 2), nil, false, dlt645.Refusal{Code: dlt645.NoSuchData}},
		{"the part refused", follow, reply(0xD2, 1), nil, false, dlt645.Refusal{Code: dlt645.OtherError}},
		{"something else refused", energy, reply(0xD4, 4), nil, false, dlt645.ErrForeign},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.request.Match(c.frame)
			if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Fatalf("error %v", err)
			}
			if !bytes.Equal(got.Data, c.data) || got.More != c.more {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestPublishedRefusals(t *testing.T) {
	cases := []struct {
		meter, frame string
		code         byte
		says         string
	}{
		{"910004920760", "68 60 07 92 04 00 91 68 D1 01 37 67 16", dlt645.Unauthorised, "the meter refuses with 04 (wrong password or not authorised)"},
		{"123456789012", "68 12 90 78 56 34 12 68 D1 01 35 8D 16", dlt645.NoSuchData, "the meter refuses with 02 (no such data)"},
		{"123456789012", "68 12 90 78 56 34 12 68 D1 01 39 91 16", dlt645.NoSuchData | dlt645.Unauthorised, "the meter refuses with 06 (no such data, wrong password or not authorised)"},
	}
	for _, c := range cases {
		_, err := dlt645.Read(address(t, c.meter), di(t, "00010000")).Match(frameOf(t, c.frame))
		var refused dlt645.Refusal
		if !errors.As(err, &refused) || refused.Code != c.code || err.Error() != c.says {
			t.Errorf("%s: %v", c.frame, err)
		}
	}
	if got := (dlt645.Refusal{}).Error(); got != "the meter refuses with 00 (no reason given)" {
		t.Error(got)
	}
	if !(dlt645.Refusal{Code: 2}).Has(dlt645.NoSuchData) || (dlt645.Refusal{Code: 4}).Has(dlt645.NoSuchData) {
		t.Error("the wrong bits")
	}
}

func TestAsksForTheAddress(t *testing.T) {
	reply, err := dlt645.AskAddress().Match(frameOf(t, "68 01 00 00 00 00 00 68 93 06 34 33 33 33 33 33 9D 16"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reply.AddressOf(); err != nil || got.String() != "000000000001" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := (dlt645.Reply{Data: []byte{1, 2}}).AddressOf(); !errors.Is(err, dlt645.ErrMalformed) {
		t.Errorf("an address of two bytes: %v", err)
	}
	if got := dlt645.AskAddress().String(); got != "the address of the only meter" {
		t.Error(got)
	}
}

func TestTransferOfSeveralFrames(t *testing.T) {
	meter := address(t, "161")
	tr := dlt645.NewTransfer(address(t, "AAAAAAAA0161"), di(t, "0001FF00"))
	part := func(control dlt645.Control, data ...byte) dlt645.Frame {
		return dlt645.Frame{Address: meter, Control: control, Data: append([]byte{0, 0xFF, 1, 0}, data...)}
	}
	steps := []struct {
		frame   dlt645.Frame
		err     error
		done    bool
		request string // asked before the frame
	}{
		{part(0xB1, 1, 2), nil, false, "meter AAAAAAAA0161 item 0001FF00"},
		{part(0xB1, 1, 2), dlt645.ErrForeign, false, "meter 000000000161 item 0001FF00 part 1"},
		{part(0xB2, 3, 1), nil, false, "meter 000000000161 item 0001FF00 part 1"},
		{part(0xB2, 3, 1), dlt645.ErrForeign, false, "meter 000000000161 item 0001FF00 part 2"},
		{part(0x92, 4, 2), nil, true, "meter 000000000161 item 0001FF00 part 2"},
		{part(0x92, 4, 2), dlt645.ErrForeign, true, "meter 000000000161 item 0001FF00 part 2"},
	}
	for i, s := range steps {
		if got := tr.Request().String(); got != s.request {
			t.Errorf("step %d asks for %s", i, got)
		}
		done, err := tr.Take(s.frame)
		if done != s.done || !errors.Is(err, s.err) {
			t.Errorf("step %d: %v, %v", i, done, err)
		}
	}
	if !bytes.Equal(tr.Data(), []byte{1, 2, 3, 4}) || tr.From() != meter {
		t.Errorf("% X of %s", tr.Data(), tr.From())
	}
	if got := dlt645.NewTransfer(meter, di(t, "0001FF00")).Request().Bytes(); !bytes.Equal(got[4:], unhex(t, "68 61 01 00 00 00 00 68 11 04 33 32 34 33 13 16")) {
		t.Errorf("% X", got)
	}
}

func TestTransferOf1997HasNoSequence(t *testing.T) {
	meter := address(t, "161")
	tr := dlt645.NewTransfer(meter, di(t, "901F"))
	if done, err := tr.Take(dlt645.Frame{Address: meter, Control: 0xA1, Data: []byte{0x1F, 0x90, 1}}); done || err != nil {
		t.Fatal(done, err)
	}
	if f := tr.Request().Frame(); f.Control != 0x02 || !bytes.Equal(f.Data, []byte{0x1F, 0x90}) {
		t.Errorf("%s", f)
	}
	if done, err := tr.Take(dlt645.Frame{Address: meter, Control: 0x82, Data: []byte{0x1F, 0x90, 2}}); !done || err != nil {
		t.Fatal(done, err)
	}
	if !bytes.Equal(tr.Data(), []byte{1, 2}) {
		t.Errorf("% X", tr.Data())
	}
}

// A meter that always has more is given up.
func TestTransferEnds(t *testing.T) {
	meter := address(t, "161")
	for _, item := range []string{"0001FF00", "901F"} {
		tr := dlt645.NewTransfer(meter, di(t, item))
		var err error
		frames := 0
		for ; err == nil; frames++ {
			r := tr.Request()
			f := dlt645.Read(r.Address, r.DI).Frame()
			f.Control = r.Control | 0xA0
			f.Data = append(f.Data, make([]byte, 40)...)
			if r.Sequence > 0 {
				f.Data = append(f.Data, r.Sequence)
			}
			_, err = tr.Take(f)
		}
		if !errors.Is(err, dlt645.ErrMalformed) || frames > 256 {
			t.Errorf("%s: %d frames, %v", item, frames, err)
		}
	}
}
