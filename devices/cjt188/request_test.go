package cjt188_test

import (
	"bytes"
	"errors"
	"testing"

	"gengfu/devices/cjt188"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]cjt188.Address{
		"78330011223344": {0x44, 0x33, 0x22, 0x11, 0x00, 0x33, 0x78},
		"12":             {0x12},
		"112":            {0x12, 0x01},
		"aaAA0011223344": {0x44, 0x33, 0x22, 0x11, 0x00, 0xAA, 0xAA},
		"AAAAAAAAAAAAAA": cjt188.Any(),
	} {
		got, err := cjt188.ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
		var back cjt188.Address
		text, err := got.MarshalText()
		if err != nil || back.UnmarshalText(text) != nil || back != want {
			t.Errorf("%s: written as %s", in, text)
		}
	}
	for _, in := range []string{"", "123456789012345", "12345A", "12 45", "1A", "99999999999999", "FF"} {
		if got, err := cjt188.ParseAddress(in); err == nil {
			t.Errorf("%q became %s", in, got)
		}
	}
	if got := address(t, "78330011223344").Maker(); got != "7833" {
		t.Errorf("maker %s", got)
	}
}

func TestIdentifiers(t *testing.T) {
	d, err := cjt188.ParseDI("901f")
	if err != nil || d != cjt188.Current {
		t.Errorf("%s, %v", d, err)
	}
	text, err := d.MarshalText()
	var back cjt188.DI
	if err != nil || back.UnmarshalText(text) != nil || back != d || string(text) != "901F" {
		t.Errorf("written as %s", text)
	}
	for _, in := range []string{"", "901", "901F0", "90 1", "+01F", "901G"} {
		if got, err := cjt188.ParseDI(in); err == nil {
			t.Errorf("%q became %s", in, got)
		}
	}
}

func TestRequests(t *testing.T) {
	any10 := cjt188.Meter{Type: cjt188.ColdWater, Address: cjt188.Any()}
	low10 := cjt188.Meter{Type: cjt188.ColdWater, Address: cjt188.Any(), Order: cjt188.LowFirst}
	ask := func(o cjt188.Order, serial byte) cjt188.Request {
		r := cjt188.AskAddress(o, serial)
		r.Type = cjt188.ColdWater
		return r
	}
	cases := []struct {
		request cjt188.Request
		want    string // without preamble
	}{
		{cjt188.Read(cjt188.Meter{Type: cjt188.ColdWater, Address: address(t, "78330011223344"), Order: cjt188.LowFirst}, cjt188.Current, 0), publishedFrames[0]},
		{cjt188.Read(any10, cjt188.Current, 1), publishedFrames[2]},
		{cjt188.Read(low10, cjt188.Current, 1), publishedFrames[3]},
		{cjt188.Read(cjt188.Meter{Type: cjt188.ColdWater, Address: address(t, "00201510270588")}, cjt188.Current, 1), publishedFrames[10]},
		{cjt188.Read(cjt188.Meter{Type: cjt188.HeatMeter, Address: address(t, "40314132")}, cjt188.Current, 1), publishedFrames[23]},
		{ask(cjt188.LowFirst, 2), publishedFrames[12]},
		{ask(cjt188.LowFirst, 0xA7), publishedFrames[14]},
		{ask(cjt188.HighFirst, 1), publishedFrames[16]},
		{cjt188.AskAddress(cjt188.HighFirst, 1), "68 AA AA AA AA AA AA AA AA 03 03 81 0A 01 4A 16"},
	}
	for _, c := range cases {
		want := append([]byte{0xFE, 0xFE, 0xFE, 0xFE}, unhex(t, c.want)...)
		if got := c.request.Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s: % X, want % X", c.request, got, want)
		}
	}
}

func TestPublishedAddressReplies(t *testing.T) {
	for _, c := range []struct {
		order         cjt188.Order
		serial        byte
		anySerial     bool
		reply, wanted string
	}{
		{cjt188.LowFirst, 2, false, publishedFrames[13], "20260324152900"},
		{cjt188.LowFirst, 0xA7, false, publishedFrames[15], "78330123456789"},
		{cjt188.HighFirst, 1, true, publishedFrames[17], "00000000000012"}, // answers with serial 00
	} {
		r := cjt188.AskAddress(c.order, c.serial)
		r.AnySerial = c.anySerial
		got, err := r.Match(frameOf(t, c.reply))
		if err != nil || got.Address.String() != c.wanted || got.Type != cjt188.ColdWater || len(got.Data) != 0 || got.Order != c.order {
			t.Errorf("%s: %+v, %v", c.reply, got, err)
		}
	}
}

func TestMatch(t *testing.T) {
	meter := cjt188.Meter{Type: cjt188.ColdWater, Address: address(t, "78330011223344")}
	reading := cjt188.Read(meter, cjt188.Current, 7)
	loose := reading
	loose.AnySerial = true
	anyone := cjt188.Read(cjt188.Meter{Type: cjt188.AnyType, Address: cjt188.Any()}, cjt188.Current, 7)
	reply := func(control cjt188.Control, data ...byte) cjt188.Frame {
		return cjt188.Frame{Type: cjt188.ColdWater, Address: meter.Address, Control: control, Data: data}
	}
	other, hot := reply(0x81, 0x90, 0x1F, 7, 1), reply(0x81, 0x90, 0x1F, 7, 1)
	other.Address[0]++
	hot.Type = cjt188.HotWater
	cases := []struct {
		name    string
		request cjt188.Request
		frame   cjt188.Frame
		want    cjt188.Reply
		err     error
	}{
		{"the reply", reading, reply(0x81, 0x90, 0x1F, 7, 1), cjt188.Reply{Serial: 7, Data: []byte{1}}, nil},
		{"in the other order", reading, reply(0x81, 0x1F, 0x90, 7, 1), cjt188.Reply{Serial: 7, Data: []byte{1}, Order: cjt188.LowFirst}, nil},
		{"more follows", reading, reply(0xA1, 0x90, 0x1F, 7, 1), cjt188.Reply{Serial: 7, Data: []byte{1}, More: true}, nil},
		{"of anyone", anyone, hot, cjt188.Reply{Serial: 7, Data: []byte{1}}, nil},
		{"a serial number of its own", loose, reply(0x81, 0x90, 0x1F, 0, 1), cjt188.Reply{Data: []byte{1}}, nil},
		{"a late reply", reading, reply(0x81, 0x90, 0x1F, 6, 1), cjt188.Reply{}, cjt188.ErrForeign},
		{"a late reply, by its serial number", reading, reply(0x81, 0x90, 0x1F, 6, 1), cjt188.Reply{}, cjt188.ErrSerial},
		{"the echo of the request", reading, reading.Frame(), cjt188.Reply{}, cjt188.ErrForeign},
		{"another meter", reading, other, cjt188.Reply{}, cjt188.ErrForeign},
		{"another type", reading, hot, cjt188.Reply{}, cjt188.ErrForeign},
		{"another item", reading, reply(0x81, 0xD1, 0x20, 7, 1), cjt188.Reply{}, cjt188.ErrForeign},
		{"another function", reading, reply(0x83, 0x90, 0x1F, 7), cjt188.Reply{}, cjt188.ErrForeign},
		{"no serial number", reading, reply(0x81, 0x90, 0x1F), cjt188.Reply{}, cjt188.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.request.Match(c.frame)
			if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Fatalf("error %v", err)
			}
			if !bytes.Equal(got.Data, c.want.Data) || got.Serial != c.want.Serial || got.More != c.want.More || got.Order != c.want.Order {
				t.Errorf("got %+v", got)
			}
			if err == nil && got.Address != meter.Address {
				t.Errorf("of %s", got.Address)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	meter := cjt188.Meter{Type: cjt188.ColdWater, Address: address(t, "78330011223344")}
	_, err := cjt188.Read(meter, cjt188.Current, 7).Match(cjt188.Frame{Type: meter.Type, Address: meter.Address, Control: 0xC1, Data: []byte{7, 1, 0}})
	var refused cjt188.Refusal
	if !errors.As(err, &refused) || refused.Function != cjt188.ReadData || !bytes.Equal(refused.Body, []byte{7, 1, 0}) ||
		err.Error() != "the meter refuses function 01 with 07 01 00" {
		t.Errorf("%v", err)
	}
	if _, err := cjt188.AskAddress(0, 1).Match(cjt188.Frame{Type: meter.Type, Address: meter.Address, Control: 0xC1}); !errors.Is(err, cjt188.ErrForeign) {
		t.Errorf("the refusal of something else: %v", err)
	}
}
