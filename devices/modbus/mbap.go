package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	mbapLength = 7        // transaction, protocol, length and unit
	olderIDs   = 1 << 12  // how far back a transaction id counts as one of ours that came late
	maxMBAP    = 2 + 0xFF // the length field of the longest frame, with a byte to spare
)

// errStream says that a TCP stream is out of step and must be opened anew.
var errStream = errors.New("the reply is no Modbus TCP; if a serial server is in transparent mode, its protocol is modbus-rtu")

// cutMBAP takes the first frame off a TCP stream. The frame is nil when it is not
// complete yet.
func cutMBAP(stream []byte) (frame, rest []byte, err error) {
	if len(stream) < mbapLength-1 {
		return nil, stream, nil
	}
	protocol := binary.BigEndian.Uint16(stream[2:])
	length := int(binary.BigEndian.Uint16(stream[4:]))
	if protocol != 0 || length < 3 || length > maxMBAP {
		return nil, stream, fmt.Errorf("% X: %w", stream[:mbapLength-1], errStream)
	}
	n := mbapLength - 1 + length
	if len(stream) < n {
		return nil, stream, nil
	}
	return stream[:n], stream[n:], nil
}

// match says what a frame of a TCP stream is to the request.
type match int

const (
	theReply match = iota
	older          // the reply to an earlier request that was given up
	stranger       // to nothing that was asked: the stream is out of step
)

// matchMBAP compares transaction id and function. The unit is left out, because
// some gateways answer with one of their own.
func matchMBAP(request, frame []byte) match {
	behind := binary.BigEndian.Uint16(request) - binary.BigEndian.Uint16(frame)
	switch {
	case behind == 0 && frame[mbapLength]&0x7F == request[mbapLength]:
		return theReply
	case behind > 0 && behind < olderIDs:
		return older
	}
	return stranger
}
