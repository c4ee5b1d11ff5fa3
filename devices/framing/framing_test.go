package framing_test

import (
	"bytes"
	"slices"
	"testing"

	"gengfu/devices/framing"
)

// probe knows frames of the letter F, a length, so many bytes, and their sum.
func probe(b []byte) (string, framing.Sight) {
	if b[0] != 'F' {
		return "", framing.Sight{}
	}
	if len(b) < 2 {
		return "", framing.Sight{Kind: framing.Begun, Length: 3}
	}
	n := 3 + int(b[1])
	switch {
	case len(b) < n:
		return "", framing.Sight{Kind: framing.Begun, Length: n}
	case framing.Sum(b[2:n-1]) != b[n-1]:
		return "", framing.Sight{Kind: framing.Spoilt}
	}
	return string(b[2 : n-1]), framing.Sight{Kind: framing.Whole, Length: n}
}

func frame(s string) string {
	return "F" + string([]byte{byte(len(s))}) + s + string([]byte{framing.Sum([]byte(s))})
}

func TestReader(t *testing.T) {
	nested := frame("a" + frame("b") + "c")
	cases := []struct {
		name     string
		reads    []string
		want     []string // by Feed
		givenUp  []string // by GiveUp
		spoilt   int
		passed   int
		unfinish int // missing before GiveUp
	}{
		{name: "nothing", reads: []string{""}},
		{name: "one", reads: []string{frame("one")}, want: []string{"one"}},
		{name: "two in one read", reads: []string{frame("one") + frame("two")}, want: []string{"one", "two"}},
		{name: "noise around", reads: []string{"xx" + frame("one") + "y" + frame("two") + "zzz"}, want: []string{"one", "two"}, passed: 6},
		{name: "in two reads", reads: []string{frame("one")[:3], frame("one")[3:]}, want: []string{"one"}},
		{name: "empty", reads: []string{frame("")}, want: []string{""}},
		{name: "spoilt, then good", reads: []string{"F\x01a\x00" + frame("one")}, want: []string{"one"}, spoilt: 1, passed: 4},
		{name: "a frame as data", reads: []string{nested}, want: []string{"a" + frame("b") + "c"}},
		{name: "a frame in what is cut", reads: []string{nested[:8]}, givenUp: []string{"b"}, passed: 4, unfinish: 1},
		{name: "a start alone", reads: []string{"F"}, passed: 1, unfinish: 2},
		{name: "cut, then good", reads: []string{"F\x09ab" + frame("one")}, givenUp: []string{"one"}, passed: 4, unfinish: 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := framing.NewReader(probe)
			var got []string
			for _, read := range c.reads {
				got = append(got, r.Feed([]byte(read))...)
			}
			if !slices.Equal(got, c.want) || r.Missing() != c.unfinish {
				t.Errorf("fed: %q, %d missing", got, r.Missing())
			}
			if got := r.GiveUp(); !slices.Equal(got, c.givenUp) || r.Missing() != 0 {
				t.Errorf("given up: %q, %d missing", got, r.Missing())
			}
			if r.Spoilt() != c.spoilt || r.Passed() != c.passed {
				t.Errorf("%d spoilt, %d passed", r.Spoilt(), r.Passed())
			}
		})
	}
}

func TestResetForgetsWhatHasBegun(t *testing.T) {
	r := framing.NewReader(probe)
	r.Feed([]byte(frame("one")[:4]))
	r.Reset()
	if got := r.Feed([]byte(frame("two"))); !slices.Equal(got, []string{"two"}) || r.Missing() != 0 {
		t.Errorf("%q, %d missing", got, r.Missing())
	}
}

// However much is read at once, and however little of it is frames, the reader's
// own memory stays within one frame and one chunk.
func TestMemoryIsBounded(t *testing.T) {
	r := framing.NewReader(probe)
	noise := bytes.Repeat([]byte("F\xFFx"), 1<<11)
	r.Feed(noise)
	allocated := testing.AllocsPerRun(10, func() { r.Feed(noise) })
	if allocated > 1 {
		t.Errorf("%v allocations for noise", allocated)
	}
	if r.Missing() > 258 {
		t.Errorf("%d missing", r.Missing())
	}
}
