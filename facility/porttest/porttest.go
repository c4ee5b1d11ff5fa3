// Package porttest gives tests loopback ports for servers that are started later, or
// stopped and started again. It is for tests only.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The ports lie below those that Linux, macOS and Windows hand out for port 0 and for
// connections by default (from 32768 or 49152): nobody is given one by chance while its
// server is away.
const (
	first = 20_000
	many  = 10_000
)

// Address returns a TCP address of 127.0.0.1 on which nobody listens. No other test is
// given it until this one ends.
func Address(t testing.TB) string {
	t.Helper()
	address, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Errorf("releasing %s: %v", address, err)
		}
	})
	return address
}

// Port is the port of an Address.
func Port(t testing.TB) string {
	t.Helper()
	_, port, err := net.SplitHostPort(Address(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Reserve is Address until release is called. The UDP port of the same number is the
// sign to tests of other processes: whatever becomes of this one, it goes with it.
func Reserve() (address string, release func() error, err error) {
	for range 1000 {
		address = fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(many))
		sign, err := net.ListenPacket("udp4", address)
		if err != nil {
			continue
		}
		if !free(address) {
			_ = sign.Close() // nothing was sent
			continue
		}
		return address, sign.Close, nil
	}
	return "", nil, errors.New("no free port on 127.0.0.1")
}

func free(address string) bool {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}
