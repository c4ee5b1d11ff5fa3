package simulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Server is a Modbus TCP gateway, or a serial server in transparent mode, with
// slaves behind it.
type Server struct {
	listener net.Listener
	slaves   map[byte]*Slave
	done     chan struct{}
	stop     sync.Once
	owned    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// ServeTCP answers Modbus TCP (MBAP) on the listener until Close. For a unit that
// it does not have it answers exception 0B, as gateways do.
func ServeTCP(l net.Listener, slaves ...*Slave) (*Server, error) {
	s, err := newServer(l, slaves)
	if err != nil {
		return nil, err
	}
	s.owned.Go(func() { s.accept(s.converse) })
	return s, nil
}

// ServeRTUOverTCP answers plain RTU frames, as a serial server in transparent
// mode passes them on.
func ServeRTUOverTCP(l net.Listener, wire Wire, slaves ...*Slave) (*Server, error) {
	s, err := newServer(l, slaves)
	if err != nil {
		return nil, err
	}
	s.owned.Go(func() {
		s.accept(func(c net.Conn) {
			if bus, err := NewBus(c, wire, slaves...); err == nil {
				bus.Wait()
			}
		})
	})
	return s, nil
}

func newServer(l net.Listener, slaves []*Slave) (*Server, error) {
	byAddress, err := index(slaves)
	if err != nil {
		return nil, err
	}
	return &Server{
		listener: l, slaves: byAddress,
		done: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}, nil
}

// Addr returns where it listens, "127.0.0.1:41234".
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends all connections and waits for everything that it started.
func (s *Server) Close() error {
	var err error
	s.stop.Do(func() {
		close(s.done)
		err = s.listener.Close()
		s.HangUp()
	})
	s.owned.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// HangUp closes the connections of the moment; new ones are accepted.
func (s *Server) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close() // whoever reads it learns of it
	}
}

func (s *Server) accept(serve func(net.Conn)) {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.keep(c) {
			return
		}
		s.owned.Go(func() {
			defer s.drop(c)
			serve(c)
		})
	}
}

// keep remembers the connection; false when the server ends and it was closed.
func (s *Server) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		_ = c.Close() // never used
		return false
	default:
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) drop(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	_ = c.Close() // it has ended one way or the other
}

// converse answers the requests of one connection, each by itself, so that a slow
// unit does not hold up the others.
func (s *Server) converse(c net.Conn) {
	var replies sync.WaitGroup
	defer replies.Wait()
	ended := make(chan struct{})
	defer close(ended)
	var writing sync.Mutex
	for {
		tid, unit, pdu, err := readMBAP(c)
		if err != nil {
			return
		}
		a, ok := s.answer(unit, pdu)
		if !ok {
			continue
		}
		replies.Go(func() {
			if a.fault.Kind == Slow && !s.pause(a.fault.Delay, ended) {
				return
			}
			writing.Lock()
			defer writing.Unlock()
			s.send(c, tid, unit, a, ended)
		})
	}
}

func (s *Server) answer(unit byte, pdu []byte) (answer, bool) {
	slave, ok := s.slaves[unit]
	if !ok {
		return answer{pdu: exception(pdu, gatewayTarget)}, true
	}
	return slave.serve(pdu)
}

func (s *Server) send(c net.Conn, tid uint16, unit byte, a answer, ended <-chan struct{}) {
	if a.fault.Kind == Corrupt {
		tid ^= 0x5555
	}
	adu := binary.BigEndian.AppendUint16(nil, tid)
	adu = binary.BigEndian.AppendUint16(adu, 0)
	adu = binary.BigEndian.AppendUint16(adu, uint16(1+len(a.pdu)))
	adu = append(append(adu, unit), a.pdu...)
	switch a.fault.Kind {
	case Truncated:
		adu = adu[:len(adu)/2]
	case Split:
		half := len(adu) / 2
		if _, err := c.Write(adu[:half]); err != nil || !s.pause(a.fault.Delay, ended) {
			return
		}
		adu = adu[half:]
	}
	_, _ = c.Write(adu) // a broken connection ends converse at its next read
}

// pause reports false when the server or the connection ended meanwhile.
func (s *Server) pause(d time.Duration, ended <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
	case <-ended:
	}
	return false
}

// readMBAP reads one request: transaction, unit, and function code with data.
func readMBAP(r io.Reader) (tid uint16, unit byte, pdu []byte, err error) {
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, nil, err
	}
	proto, length := binary.BigEndian.Uint16(head[2:]), int(binary.BigEndian.Uint16(head[4:]))
	if proto != 0 || length < 2 || length > 254 {
		return 0, 0, nil, fmt.Errorf("read request: % x is not an MBAP header", head)
	}
	pdu = make([]byte, length-1)
	if _, err := io.ReadFull(r, pdu); err != nil {
		return 0, 0, nil, err
	}
	return binary.BigEndian.Uint16(head[:]), head[6], pdu, nil
}
