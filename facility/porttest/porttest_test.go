package porttest

import (
	"net"
	"strconv"
	"testing"
)

// TestNoPortIsGivenTwice, below those that the system gives, and one may listen on each,
// again and again.
func TestNoPortIsGivenTwice(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		address := Address(t)
		if seen[address] {
			t.Fatalf("%s is given twice", address)
		}
		seen[address] = true
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < first || n >= first+many {
			t.Errorf("%s: %v", address, err)
		}
		for range 2 {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAPortIsGivenBack(t *testing.T) {
	address, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	taken := func() bool {
		c, err := net.ListenPacket("udp4", address)
		if err != nil {
			return true
		}
		_ = c.Close()
		return false
	}
	if !taken() {
		t.Error("another test would take it")
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if taken() {
		t.Error("it is kept")
	}
}

// TestAPortOnWhichSomebodyListensIsNotFree, though nobody has its sign.
func TestAPortOnWhichSomebodyListensIsNotFree(t *testing.T) {
	address := Address(t)
	if !free(address) {
		t.Error("it is free")
	}
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody came
	if free(address) {
		t.Error("somebody listens")
	}
}
