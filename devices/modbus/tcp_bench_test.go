package modbus

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/profile"
)

// gateway answers every request over TCP with registers that hold their addresses,
// and makes no garbage.
func gateway(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { serve(conn) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return l.Addr().String()
}

// serve ends with its connection.
func serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var request [12]byte
	reply := make([]byte, 9+250)
	for {
		if _, err := io.ReadFull(conn, request[:]); err != nil {
			return
		}
		n := 2 * int(request[11])
		copy(reply, request[:8])
		reply[4], reply[5], reply[8] = 0, byte(3+n), byte(n)
		for i := range n / 2 {
			a := int(request[8])<<8 + int(request[9]) + i
			reply[9+2*i], reply[10+2*i] = byte(a>>8), byte(a)
		}
		if _, err := conn.Write(reply[:9+n]); err != nil {
			return
		}
	}
}

func tcpMaster(tb testing.TB, address string) *Master {
	tb.Helper()
	conn, err := line.DialTCP(tb.Context(), line.TCP{Address: address})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	m := NewMaster(Options{Framing: TCP, Timeout: 5 * time.Second})
	m.Attach(conn)
	return m
}

func TestAPollOverTCPMakesLittleGarbage(t *testing.T) {
	m := tcpMaster(t, gateway(t))
	words := make([]uint16, 60)
	r := Request{1, profile.Holding, 100, 60}
	var failed error
	poll := func() {
		if err := m.ReadInto(t.Context(), r, Timing{}, words); err != nil {
			failed = err
		}
	}
	into := testing.AllocsPerRun(200, poll)
	whole := testing.AllocsPerRun(200, func() {
		if _, err := m.Read(t.Context(), r, Timing{}); err != nil {
			failed = err
		}
	})
	if failed != nil || words[59] != 159 {
		t.Fatalf("read %v, %v", words, failed)
	}
	t.Logf("a poll of 60 registers makes %.0f allocations, %.0f when it returns new words", into, whole)
	if into > 3 || whole > 4 {
		t.Errorf("a poll of 60 registers makes %.0f allocations, %.0f when it returns new words; want at most 3 and 4", into, whole)
	}
}

// BenchmarkTCP polls 60 registers over each of 200 connections at once. The slaves
// are part of the process, so that it is the floor of what a master does.
func BenchmarkTCP(b *testing.B) {
	const connections = 200
	address := gateway(b)
	masters := make([]*Master, connections)
	for i := range masters {
		masters[i] = tcpMaster(b, address)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var polling sync.WaitGroup
	for _, m := range masters {
		polling.Go(func() {
			words := make([]uint16, 60)
			for range b.N / connections {
				if err := m.ReadInto(context.Background(), Request{1, profile.Holding, 0, 60}, Timing{}, words); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	polling.Wait()
	b.ReportMetric(60*float64(b.N)/b.Elapsed().Seconds(), "values/s")
}
