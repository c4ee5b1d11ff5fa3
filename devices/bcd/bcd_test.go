package bcd_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"gengfu/devices/bcd"
	"gengfu/facility"

	"pgregory.net/rapid"
)

func TestUint(t *testing.T) {
	cases := []struct {
		b    []byte
		want uint64
		err  error
	}{
		{[]byte{0x78, 0x56, 0x34, 0x12}, 12345678, nil},
		{[]byte{0}, 0, nil},
		{[]byte{0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99}, 9999999999999999, nil},
		{[]byte{0xFF, 0xFF}, 0, bcd.ErrAbsent},
		{nil, 0, bcd.ErrAbsent},
		{[]byte{0xFF, 0x00}, 0, bcd.ErrInvalid},
		{[]byte{0x0A}, 0, bcd.ErrInvalid},
		{[]byte{0xA0}, 0, bcd.ErrInvalid},
		{make([]byte, 9), 0, bcd.ErrInvalid},
	}
	for _, c := range cases {
		if got, err := bcd.Uint(c.b); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("% X: %d, %v", c.b, got, err)
		}
	}
}

func TestInt(t *testing.T) {
	cases := []struct {
		b    []byte
		want int64
		err  error
	}{
		{[]byte{0x12, 0x25, 0x00}, 2512, nil},
		{[]byte{0x12, 0x25, 0x80}, -2512, nil},
		{[]byte{0x99, 0x99, 0xF9}, -799999, nil},
		{[]byte{0x00, 0x80}, 0, nil},
		{[]byte{0xFF, 0xFF}, 0, bcd.ErrAbsent},
		{[]byte{0xFF, 0x7F}, 0, bcd.ErrInvalid},
		{[]byte{0x0A, 0x80}, 0, bcd.ErrInvalid},
		{nil, 0, bcd.ErrAbsent},
		{make([]byte, 9), 0, bcd.ErrInvalid},
	}
	for _, c := range cases {
		in := bytes.Clone(c.b)
		if got, err := bcd.Int(c.b); got != c.want || !errors.Is(err, c.err) || !bytes.Equal(in, c.b) {
			t.Errorf("% X: %d, %v", in, got, err)
		}
	}
}

func TestWhatIsPutIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Range(0, 1e16-1).Draw(t, "number")
		b := make([]byte, rapid.IntRange((len(fmt.Sprint(v))+1)/2, bcd.MaxBytes).Draw(t, "bytes"))
		if err := bcd.Put(b, v); err != nil {
			t.Fatal(err)
		}
		if got, err := bcd.Uint(b); got != v || err != nil {
			t.Fatalf("% X: %d, %v", b, got, err)
		}
	})
	if err := bcd.Put(make([]byte, 2), 10000); !errors.Is(err, bcd.ErrInvalid) {
		t.Errorf("five digits in two bytes: %v", err)
	}
}

func TestScaled(t *testing.T) {
	for _, c := range []struct {
		v        float64
		decimals int
		want     float64
	}{{3, 1, 0.3}, {2512, 4, 0.2512}, {5, 0, 5}, {5, -3, 5000}, {56789, 5, 0.56789}} {
		if got := bcd.Scaled(c.v, c.decimals); got != c.want {
			t.Errorf("%v by %d: %v", c.v, c.decimals, got)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		err    error
		q      facility.Quality
		reason facility.Reason
	}{
		{nil, facility.Good, ""},
		{bcd.ErrAbsent, facility.Bad, facility.SensorFault},
		{fmt.Errorf("volume: %w", bcd.ErrInvalid), facility.Bad, facility.BadReply},
	} {
		if q, reason := bcd.Judge(c.err); q != c.q || reason != c.reason {
			t.Errorf("%v: %v %v", c.err, q, reason)
		}
	}
}

func TestClock(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	good := bcd.Clock{Century: 0x20, Year: 0x24, Month: 0x02, Day: 0x29, Hour: 0x23, Minute: 0x59, Second: 0x59}
	if got, ok := good.In(zone); !ok || !got.Equal(time.Date(2024, 2, 29, 15, 59, 59, 0, time.UTC)) {
		t.Errorf("%v, %v", got, ok)
	}
	spoil := map[string]func(*bcd.Clock){
		"no leap year": func(c *bcd.Clock) { c.Year = 0x25 },
		"second 60":    func(c *bcd.Clock) { c.Second = 0x60 },
		"minute 60":    func(c *bcd.Clock) { c.Minute = 0x60 },
		"hour 24":      func(c *bcd.Clock) { c.Hour = 0x24 },
		"day 0":        func(c *bcd.Clock) { c.Day = 0 },
		"month 0":      func(c *bcd.Clock) { c.Month = 0 },
		"month 13":     func(c *bcd.Clock) { c.Month = 0x13 },
		"no digits":    func(c *bcd.Clock) { c.Hour = 0x1A },
		"absent":       func(c *bcd.Clock) { *c = bcd.Clock{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF} },
		"the year 17":  func(c *bcd.Clock) { c.Century = 0 },
		"all zero":     func(c *bcd.Clock) { *c = bcd.Clock{} },
	}
	for name, f := range spoil {
		c := good
		f(&c)
		if got, ok := c.In(zone); ok || !got.IsZero() {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzBCD(f *testing.F) {
	f.Add([]byte{0x78, 0x56, 0x34, 0x92})
	f.Add([]byte{0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := bcd.Uint(b)
		if err == nil {
			back := make([]byte, len(b))
			if perr := bcd.Put(back, v); perr != nil || !bytes.Equal(back, b) {
				t.Fatalf("% X is %d and written % X, %v", b, v, back, perr)
			}
		}
		i, signed := bcd.Int(b)
		if err == nil && b[len(b)-1] < 0x80 && (signed != nil || i != int64(v)) {
			t.Fatalf("% X is %d, with a sign %d, %v", b, v, i, signed)
		}
		if len(b) >= 7 {
			c := bcd.Clock{Century: b[0], Year: b[1], Month: b[2], Day: b[3], Hour: b[4], Minute: b[5], Second: b[6]}
			if at, ok := c.In(time.UTC); ok == at.IsZero() {
				t.Fatalf("% X: %v", b, at)
			}
		}
	})
}
