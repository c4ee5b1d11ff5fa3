package profile

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/framing"
	"gengfu/devices/mbus"
	"gengfu/facility"
)

// reading decodes a point from a golden reply. The error says why it is not in it.
type reading func(pt Point) (float64, facility.Quality, facility.Reason, error)

// frames reads the frames of a meter in hex, preambles and all. Nothing else may
// stand among them.
func frames[F any](r *framing.Reader[F], s string) ([]F, error) {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, fmt.Errorf("%q is not hex", s)
	}
	const wakeByte = 0xFE
	for len(b) > 0 && b[0] == wakeByte {
		b = b[1:]
	}
	found := append(r.Feed(b), r.GiveUp()...)
	switch {
	case r.Spoilt() > 0:
		return nil, fmt.Errorf("its check or its end is wrong")
	case len(found) == 0 || r.Passed() > 0:
		return nil, fmt.Errorf("no frame stands there, or more than frames")
	}
	return found, nil
}

// oneFrame reads a single frame.
func oneFrame[F any](r *framing.Reader[F], s string) (f F, err error) {
	found, err := frames(r, s)
	if err != nil {
		return f, err
	}
	if len(found) > 1 {
		return f, fmt.Errorf("%d frames stand there", len(found))
	}
	return found[0], nil
}

// meterReading returns what the frames of an example say, of a model that does not
// speak Modbus.
func (g Golden) meterReading(p Profile) (reading, error) {
	switch p.Language() {
	case DLT645:
		return pair(dlt645.NewReader, g, read645)
	case CJT188:
		return pair(cjt188.NewReader, g, func(request, reply cjt188.Frame) (reading, error) { return p.read188(request, reply) })
	case MBus:
		return pair(mbus.NewReader, g, readMBus)
	}
	return nil, &keyError{key: "request", what: "The protocol of the model is not known.", cure: "Correct protocol."}
}

func pair[F any](reader func() *framing.Reader[F], g Golden, read func(request, reply F) (reading, error)) (reading, error) {
	const cure = "Write the whole frame in hex, with its check."
	request, err := oneFrame(reader(), g.Request)
	if err != nil {
		return nil, keyed("request", "The request is not a frame: "+err.Error()+".", cure)
	}
	reply, err := oneFrame(reader(), g.Reply)
	if err != nil {
		return nil, keyed("reply", "The reply is not a frame: "+err.Error()+".", cure)
	}
	r, err := read(request, reply)
	if err != nil {
		return nil, keyed("reply", "Request and reply do not belong together: "+err.Error()+".", "Take both from the same exchange.")
	}
	return r, nil
}

func read645(request, reply dlt645.Frame) (reading, error) {
	var di dlt645.DI
	switch data := request.Data; {
	case request.Control == dlt645.ReadData && len(data) == 4:
		di.Code = uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
	case request.Control == dlt645.ReadData1997 && len(data) == 2:
		di = dlt645.DI{Edition: dlt645.Edition1997, Code: uint32(data[0]) | uint32(data[1])<<8}
	default:
		return nil, fmt.Errorf("the request is not a read of one item")
	}
	answer, err := dlt645.Read(request.Address, di).Match(reply)
	if err != nil {
		return nil, err
	}
	return func(pt Point) (float64, facility.Quality, facility.Reason, error) {
		at, err := pt.DLT645()
		if err != nil || at.DI != di {
			return 0, facility.Bad, "", errElsewhere(pt)
		}
		values, err := at.Item.Decode(answer.Data, time.UTC)
		if err != nil {
			return 0, facility.Bad, "", err
		}
		for _, v := range values {
			if v.Name == at.Value {
				number, q, r := pt.Finish(v.Number, v.Quality, v.Reason)
				return number, q, r, nil
			}
		}
		return 0, facility.Bad, "", errElsewhere(pt)
	}, nil
}

func (p Profile) read188(request, reply cjt188.Frame) (reading, error) {
	const identifier, whole = 2, 3
	if request.Control != cjt188.ReadData || len(request.Data) != whole {
		return nil, fmt.Errorf("the request is not a read of one item")
	}
	meter, _ := p.CJT188.Meter(request.Address)
	meter.Type = request.Type
	for _, order := range []cjt188.Order{cjt188.HighFirst, cjt188.LowFirst} {
		meter.Order = order
		di := cjt188.DI(request.Data[0])<<8 | cjt188.DI(request.Data[1])
		if order == cjt188.LowFirst {
			di = cjt188.DI(request.Data[1])<<8 | cjt188.DI(request.Data[0])
		}
		if !p.asks(di) {
			continue
		}
		answer, err := cjt188.Read(meter, di, request.Data[identifier]).Match(reply)
		if err != nil {
			return nil, err
		}
		layout, ok := p.CJT188.Layout(answer.Type, di)
		if !ok {
			return nil, fmt.Errorf("the reply of a meter of type %02X to %s is not of the standard", byte(answer.Type), di)
		}
		values, err := layout.Decode(answer.Data, time.UTC)
		return func(pt Point) (float64, facility.Quality, facility.Reason, error) { return of188(pt, di, values) }, err
	}
	return nil, fmt.Errorf("no point of the profile has the item of the request")
}

// asks reports whether a point has the item.
func (p Profile) asks(di cjt188.DI) bool {
	for _, pt := range p.Points {
		if at, err := pt.CJT188(); err == nil && at.DI == di {
			return true
		}
	}
	return false
}

func of188(pt Point, di cjt188.DI, values []cjt188.Value) (float64, facility.Quality, facility.Reason, error) {
	at, err := pt.CJT188()
	if err != nil || at.DI != di {
		return 0, facility.Bad, "", errElsewhere(pt)
	}
	for _, v := range values {
		if v.Name == at.Value {
			number, q, r := pt.Finish(v.Number, v.Quality, v.Reason)
			return number, q, r, nil
		}
	}
	return 0, facility.Bad, "", errElsewhere(pt)
}

func readMBus(request, reply mbus.Frame) (reading, error) {
	answer, err := mbus.Request{Frame: request}.Match(reply)
	if err != nil {
		return nil, err
	}
	records, _, err := mbus.ParseRecords(answer.Records, time.UTC)
	if err != nil {
		return nil, err
	}
	return func(pt Point) (float64, facility.Quality, facility.Reason, error) {
		id, err := pt.MBus()
		if err != nil {
			return 0, facility.Bad, "", err
		}
		r, ok := mbus.Find(records, id)
		if !ok {
			return 0, facility.Bad, "", errElsewhere(pt)
		}
		number, q, reason := pt.FinishIn(r.Number, r.Unit, r.Quality, r.Reason)
		return number, q, reason, nil
	}, nil
}

func errElsewhere(pt Point) error { return fmt.Errorf("%s is not in this reply", pt.ID) }
