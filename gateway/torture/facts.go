package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"gengfu/facility"
)

// kind is one of the three rows of facts that an edge makes, each numbered from 0.
type kind string

const (
	samples kind = "sample" // telemetry, spread over several points
	bits    kind = "bit"    // urgent: a fault that comes and goes
	taps    kind = "tap"
)

var kinds = []kind{samples, bits, taps}

// The devices of the site file and the points that are used of them.
const (
	site, gateway = "garden", "gw1"
	pump          = "pump-1"
	pumpKind      = "pump"
	reader        = "reader-gate"
)

var (
	quantities = []string{"frequency", "current", "power", "outlet_pressure"}
	fault      = facility.PointID{Device: pump, Quantity: "fault"}
)

// numbering makes facts of numbers: whoever knows the base knows every fact that
// there can be, with all that must be true of it. Fact n of each kind is n
// milliseconds after the base.
type numbering struct{ base time.Time }

func (f numbering) time(n int) time.Time { return f.base.Add(time.Duration(n) * time.Millisecond) }

// number is the inverse of time.
func (f numbering) number(t time.Time) int { return int(t.Sub(f.base) / time.Millisecond) }

func samplePoint(n int) facility.PointID {
	return facility.PointID{Device: pump, Quantity: quantities[n%len(quantities)]}
}

// sample has a value of which every bit matters; some are bad or uncertain.
func (f numbering) sample(n int) facility.Reading {
	r := facility.Reading{Point: samplePoint(n), Time: f.time(n), Value: math.Sqrt(float64(n) + 0.5), Quality: facility.Good}
	switch n % 53 {
	case 7:
		r.Quality, r.Value, r.Reason = facility.Bad, 0, facility.NoAnswer
	case 11:
		r.Quality, r.Reason = facility.Uncertain, facility.OutOfRange
	}
	return r
}

func (f numbering) bit(n int) facility.Reading {
	return facility.Reading{Point: fault, Time: f.time(n), Value: float64(n % 2), Quality: facility.Good}
}

func (f numbering) tap(n int) facility.Tap {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(n))
	return facility.Tap{
		ID:     uuid.NewSHA1(uuid.NameSpaceOID, number[:]).String(),
		Source: facility.TapReader, Reader: reader, Credential: fmt.Sprintf("04%012X", n),
		TappedAt: f.time(n), SentAt: f.time(n),
	}
}
