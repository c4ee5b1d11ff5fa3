package sniff

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/framing"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// Value is one value that an exchange gives.
type Value struct {
	Quantity string           `json:"quantity"`
	Number   *float64         `json:"value"` // nil when there is none
	Text     string           `json:"text,omitempty"`
	Unit     string           `json:"unit,omitempty"`
	Raw      string           `json:"raw,omitempty"` // the registers in hex
	Quality  facility.Quality `json:"quality"`
	Reason   facility.Reason  `json:"reason,omitempty"`
	Name     facility.Text    `json:"-"`
	Decimals int              `json:"-"`
}

// Meaning is what a request and what came back mean together.
type Meaning struct {
	Protocol Protocol
	Address  string
	Asked    string  // in words
	Answered string  // in words; "" for nothing
	Problem  string  // why there are no values; "" when the answer is whole
	Code     int     // of a refusal: the exception of Modbus, the error of a meter; -1 for none
	Reply    []byte  // the frame that answers; nil when there is none
	Values   []Value // by the profile where one is given, as they stand otherwise
}

// Interpret says what a request and everything that was received after it mean. The
// profile is that of the device that was asked, nil when it is not known. An
// adapter's echo of the request is passed over.
func Interpret(protocol Protocol, request, received []byte, p *profile.Profile) Meaning {
	asked, ok := parseRequest(protocol, request)
	if !ok {
		return Meaning{Protocol: protocol, Problem: "the request is no frame of " + string(protocol), Code: -1}
	}
	m := Meaning{Protocol: asked.Protocol, Address: asked.Address, Asked: asked.Says, Code: -1}
	if len(received) == 0 {
		m.Problem = "no answer"
		if !answerable(&asked) {
			m.Problem = ""
		}
		return m
	}
	reply, problem := findReply(&asked, bytes.TrimPrefix(received, request))
	if reply == nil {
		m.Problem = problem
		return m
	}
	m.Answered, m.Reply = reply.Says, reply.Bytes
	if reply.Refused {
		m.Problem, m.Code = "refused", reply.code()
		return m
	}
	m.Problem = mismatch(&asked, reply)
	m.Values = values(&asked, reply, p)
	return m
}

// Explain is Interpret for an event of a Cutter that has a request and its reply.
func (e Event) Explain(p *profile.Profile) []Value {
	if e.Kind != Whole || e.Request == nil || e.Frame.Refused {
		return nil
	}
	return values(e.Request, e.Frame, p)
}

func parseRequest(protocol Protocol, b []byte) (Frame, bool) {
	if protocol == ModbusTCP {
		f, _, ok := parseTCP(b, Request)
		return f, ok
	}
	// A line may carry several protocols, whatever it is mainly for.
	woken := awake(b)
	if len(woken) == 0 {
		return Frame{}, false
	}
	c := NewCutter(0)
	f, sight := c.look(woken)
	if sight.Kind != framing.Whole || sight.Length != len(woken) {
		return Frame{}, false
	}
	return f, true
}

// findReply looks for the reply anywhere in what was received.
func findReply(asked *Frame, received []byte) (*Frame, string) {
	if asked.Protocol == ModbusTCP {
		return findTCP(asked, received)
	}
	c := NewCutter(0)
	c.pending, c.pendingAt = asked, time.Unix(0, 0)
	events := append(c.Feed(time.Unix(0, 0), received), c.Quiet(time.Unix(0, 0))...)
	foreign := 0
	for _, e := range events {
		if e.Kind == Whole && e.Frame.answers(asked) {
			return e.Frame, ""
		}
		if e.Kind == Whole {
			foreign++
		}
	}
	for _, e := range events {
		if e.Kind == Spoilt {
			return nil, "the answer is spoilt or cut short"
		}
	}
	if foreign > 0 {
		return nil, "only frames of others came"
	}
	return nil, fmt.Sprintf("%d bytes came that are no answer", len(received))
}

func findTCP(asked *Frame, received []byte) (*Frame, string) {
	for len(received) > 0 {
		f, n, ok := parseTCP(received, Reply)
		switch {
		case !ok:
			return nil, fmt.Sprintf("%d bytes came that are no Modbus TCP", len(received))
		case f.answers(asked):
			return &f, ""
		}
		received = received[n:]
	}
	return nil, "only answers to other requests came"
}

func values(asked, reply *Frame, p *profile.Profile) []Value {
	switch {
	case asked.Protocol.Modbus() && (p == nil || p.Language() == profile.Modbus):
		return modbusValues(asked.modbus, reply.modbus, p)
	case asked.Protocol == DLT645:
		return values645(asked, reply, forLanguage(p, profile.DLT645))
	case asked.Protocol == CJT188:
		return values188(asked, reply, forLanguage(p, profile.CJT188))
	case asked.Protocol == MBus:
		return valuesMBus(reply, forLanguage(p, profile.MBus))
	}
	return nil
}

// forLanguage returns the profile if it is one of the language.
func forLanguage(p *profile.Profile, l profile.Protocol) *profile.Profile {
	if p == nil || p.Language() != l {
		return nil
	}
	return p
}

func modbusValues(asked, reply pdu, p *profile.Profile) (out []Value) {
	words := reply.words(asked)
	table := tableOf(asked.function)
	if p == nil {
		return plainWords(table, asked.start(), words)
	}
	for _, pt := range p.Points {
		from := pt.Address - asked.start()
		if pt.Table != table || from < 0 || pt.Words() == 0 || from+pt.Words() > len(words) {
			continue
		}
		own := words[from : from+pt.Words()]
		v, q, reason := pt.Decode(own)
		out = append(out, valueOf(pt, v, q, reason, hexWords(own)))
	}
	return out
}

func plainWords(table profile.Table, start int, words []uint16) []Value {
	out := make([]Value, len(words))
	for i, w := range words {
		number := float64(w)
		raw := ""
		if !table.Bits() {
			raw = fmt.Sprintf("%04X", w)
		}
		out[i] = Value{Quantity: fmt.Sprintf("%s %d", table, start+i), Number: &number, Raw: raw, Quality: facility.Good}
	}
	return out
}

func hexWords(words []uint16) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = fmt.Sprintf("%04X", w)
	}
	return strings.Join(parts, " ")
}

func valueOf(pt profile.Point, v float64, q facility.Quality, reason facility.Reason, raw string) Value {
	out := Value{Quantity: pt.ID, Unit: pt.Unit, Raw: raw, Quality: q, Reason: reason, Name: pt.Name, Decimals: pt.Decimals}
	if q != facility.Bad {
		out.Number = &v
	}
	return out
}

// plain is a value as its codec gives it.
func plain(name string, number float64, text string, at time.Time, unit string, q facility.Quality, reason facility.Reason, raw string) Value {
	v := Value{Quantity: name, Unit: unit, Text: text, Raw: raw, Quality: q, Reason: reason, Decimals: -1}
	switch {
	case q == facility.Bad:
	case !at.IsZero():
		v.Text = at.Format("2006-01-02 15:04:05")
	case text == "" && !math.IsNaN(number):
		v.Number = &number
	}
	return v
}

func values645(asked, reply *Frame, p *profile.Profile) (out []Value) {
	if asked.dlt645.Control.Function() == dlt645.ReadAddress {
		return []Value{{Quantity: "address", Text: reply.Address, Quality: facility.Good}}
	}
	di, ok := itemOf(asked.dlt645)
	if !ok {
		return nil
	}
	data := reply.dlt645.Data
	head := 4
	if di.Edition == dlt645.Edition1997 {
		head = 2
	}
	if len(data) < head {
		return nil
	}
	data = data[head:]
	raw := fmt.Sprintf("% X", data)
	if p != nil {
		return points645(p, di, data, raw)
	}
	item, known := dlt645.Lookup(di)
	got, err := item.Decode(data, time.UTC)
	if !known || err != nil {
		return []Value{{Quantity: di.String(), Text: raw, Quality: facility.Uncertain}}
	}
	for _, v := range got {
		out = append(out, plain(v.Name, v.Number, v.Text, v.Time, v.Unit, v.Quality, v.Reason, raw))
	}
	return out
}

func points645(p *profile.Profile, di dlt645.DI, data []byte, raw string) (out []Value) {
	for _, pt := range p.Points {
		at, err := pt.DLT645()
		if err != nil || at.DI != di {
			continue
		}
		got, _ := at.Item.Decode(data, time.UTC) // no values: bad_reply
		i := slices.IndexFunc(got, func(v dlt645.Value) bool { return v.Name == at.Value })
		if i < 0 {
			out = append(out, valueOf(pt, 0, facility.Bad, facility.BadReply, raw))
			continue
		}
		v, q, reason := pt.FinishIn(got[i].Number, got[i].Unit, got[i].Quality, got[i].Reason)
		out = append(out, valueOf(pt, v, q, reason, raw))
	}
	return out
}

func values188(asked, reply *Frame, p *profile.Profile) (out []Value) {
	const header = 3
	f := reply.cjt188
	if asked.cjt188.Control.Function() == cjt188.ReadAddress {
		return []Value{{Quantity: "address", Text: reply.Address, Quality: facility.Good}}
	}
	if len(f.Data) < header {
		return nil
	}
	raw := fmt.Sprintf("% X", f.Data[header:])
	var dialect *profile.Dialect
	if p != nil {
		dialect = p.CJT188
	}
	got, ok := decode188(f, dialect)
	if !ok {
		return []Value{{Quantity: fmt.Sprintf("%02X%02X", f.Data[0], f.Data[1]), Text: raw, Quality: facility.Uncertain}}
	}
	if p == nil {
		for _, v := range got {
			out = append(out, plain(v.Name, v.Number, "", v.Time, v.Unit, v.Quality, v.Reason, raw))
		}
		return out
	}
	for _, pt := range p.Points {
		at, err := pt.CJT188()
		if err != nil || !carries(f, at.DI) {
			continue
		}
		i := slices.IndexFunc(got, func(v cjt188.Value) bool { return v.Name == at.Value })
		if i < 0 {
			out = append(out, valueOf(pt, 0, facility.Bad, facility.BadReply, raw))
			continue
		}
		v, q, reason := pt.FinishIn(got[i].Number, got[i].Unit, got[i].Quality, got[i].Reason)
		out = append(out, valueOf(pt, v, q, reason, raw))
	}
	return out
}

// carries reports whether the data begin with the identifier in either order.
func carries(f cjt188.Frame, di cjt188.DI) bool {
	high, low := byte(di>>8), byte(di)
	return f.Data[0] == high && f.Data[1] == low || f.Data[0] == low && f.Data[1] == high
}

func decode188(f cjt188.Frame, d *profile.Dialect) ([]cjt188.Value, bool) {
	const header = 3
	for _, di := range []cjt188.DI{
		cjt188.DI(uint16(f.Data[0])<<8 | uint16(f.Data[1])), cjt188.DI(uint16(f.Data[1])<<8 | uint16(f.Data[0])),
	} {
		layout, ok := d.Layout(f.Type, di)
		if !ok {
			continue
		}
		if got, err := layout.Decode(f.Data[header:], time.UTC); err == nil {
			return got, true
		}
	}
	return nil, false
}

func valuesMBus(reply *Frame, p *profile.Profile) (out []Value) {
	const variable, header = 0x72, 12
	f := reply.mbus
	if f.Kind != mbus.Long || f.CI != variable || len(f.Data) < header {
		return nil
	}
	records, _, err := mbus.ParseRecords(f.Data[header:], time.UTC)
	if err != nil && len(records) == 0 {
		return []Value{{Quantity: "records", Text: err.Error(), Quality: facility.Bad, Reason: facility.BadReply}}
	}
	if p == nil {
		for _, r := range records {
			out = append(out, plain(recordName(r.ID), r.Number, r.Text, r.Time, r.Unit, r.Quality, r.Reason, ""))
		}
		return out
	}
	for _, pt := range p.Points {
		id, err := pt.MBus()
		if err != nil {
			continue
		}
		r, ok := mbus.Find(records, id)
		if !ok {
			continue // in another telegram of the same readout
		}
		v, q, reason := pt.FinishIn(r.Number, r.Unit, r.Quality, r.Reason)
		out = append(out, valueOf(pt, v, q, reason, ""))
	}
	return out
}

func recordName(id mbus.ID) string {
	name := id.Quantity
	if id.Function != mbus.Present {
		name += [...]string{"", "_maximum", "_minimum", "_during_error"}[min(int(id.Function), 3)]
	}
	if id.Storage != 0 {
		name += fmt.Sprintf("[storage %d]", id.Storage)
	}
	if id.Tariff != 0 {
		name += fmt.Sprintf("[tariff %d]", id.Tariff)
	}
	if id.Subunit != 0 {
		name += fmt.Sprintf("[subunit %d]", id.Subunit)
	}
	return name
}
