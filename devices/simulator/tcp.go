package simulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"gengfu/devices/profile"
)

// Server is a Modbus TCP gateway, or a serial server in transparent mode, with
// slaves behind it.
type Server struct {
	listener net.Listener
	units    map[byte]*Slave
	done     chan struct{}
	stop     sync.Once
	owned    sync.WaitGroup

	faults *lineFaults

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// ServeTCP answers Modbus TCP (MBAP) on the listener until Close. For a unit that
// it does not have it answers exception 0B, as gateways do.
func ServeTCP(l net.Listener, slaves ...*Slave) (*Server, error) {
	return ServeModbusTCP(l, Options{}, slaves...)
}

// ServeModbusTCP is ServeTCP with faults of the line.
func ServeModbusTCP(l net.Listener, opts Options, slaves ...*Slave) (*Server, error) {
	for _, one := range slaves {
		if p := one.face.protocol(); p != profile.Modbus {
			return nil, fmt.Errorf("simulate a gateway: %s speaks %s, which a Modbus gateway does not", one.address, p)
		}
	}
	s, err := newServer(l, opts, slaves)
	if err != nil {
		return nil, err
	}
	s.owned.Go(func() { s.accept(s.converse) })
	return s, nil
}

// ServeRTUOverTCP answers plain RTU frames, and those of meters, as a serial server
// in transparent mode passes them on.
func ServeRTUOverTCP(l net.Listener, wire Wire, slaves ...*Slave) (*Server, error) {
	return ServeLine(l, Options{Wire: wire}, slaves...)
}

// ServeLine is ServeRTUOverTCP with faults of the line.
func ServeLine(l net.Listener, opts Options, slaves ...*Slave) (*Server, error) {
	s, err := newServer(l, opts, slaves)
	if err != nil {
		return nil, err
	}
	s.owned.Go(func() {
		s.accept(func(c net.Conn) { newBus(c, opts, s.faults, slaves).Wait() })
	})
	return s, nil
}

func newServer(l net.Listener, opts Options, slaves []*Slave) (*Server, error) {
	if err := distinct(slaves); err != nil {
		return nil, err
	}
	s := &Server{
		listener: l, units: map[byte]*Slave{}, faults: newLineFaults(opts),
		done: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}
	seed(opts, slaves)
	for _, one := range slaves {
		if r, ok := one.face.(*registers); ok {
			s.units[r.unit] = one
		}
	}
	return s, nil
}

// SetFaults makes the line misbehave from the next request on, in all of these
// ways; without any it is healthy.
func (s *Server) SetFaults(faults ...Fault) { s.faults.set(faults) }

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
		u, ok := s.answer(tid, unit, pdu)
		if !ok {
			continue
		}
		replies.Go(func() {
			if !s.pause(u.delay, ended) {
				return
			}
			writing.Lock()
			defer writing.Unlock()
			s.send(c, u, ended)
		})
	}
}

func (s *Server) answer(tid uint16, unit byte, pdu []byte) (utterance, bool) {
	request := append([]byte{unit}, pdu...)
	slave, ok := s.units[unit]
	if !ok {
		refusal := append([]byte{unit}, exception(pdu, gatewayTarget)...)
		return utterance{parts: []part{{bytes: mbap{tid}.wrap(refusal, false)}}}, true
	}
	a, ok := slave.serve(request, s.faults.draw)
	if !ok {
		return utterance{}, false
	}
	return Wire{}.compose(mbap{tid}, request, a), true
}

func (s *Server) send(c net.Conn, u utterance, ended <-chan struct{}) {
	for _, p := range u.parts {
		if !s.pause(p.pause, ended) {
			return
		}
		if _, err := c.Write(p.bytes); err != nil {
			return // a broken connection ends converse at its next read
		}
	}
	if u.drop {
		_ = c.Close() // converse learns of it
	}
}

// mbap is how the frames of one transaction look on Modbus TCP.
type mbap struct{ transaction uint16 }

func (mbap) look([]byte, bool) (sight, []byte, int) { return nothing, nil, 0 }

func (l mbap) wrap(payload []byte, spoilt bool) []byte {
	tid := l.transaction
	if spoilt {
		tid ^= 0x5555
	}
	adu := binary.BigEndian.AppendUint16(nil, tid)
	adu = binary.BigEndian.AppendUint16(adu, 0)
	adu = binary.BigEndian.AppendUint16(adu, uint16(len(payload)))
	return append(adu, payload...)
}

// stranger returns the reply to a request of before. A gateway sends no requests.
func (l mbap) stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	_, theirReply = strangers{}.of(request, reply, dice)
	l.transaction -= uint16(1 + dice.IntN(8))
	return nil, l.wrap(theirReply, false)
}

// pause reports false when the server or the connection ended meanwhile.
func (s *Server) pause(d time.Duration, ended <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
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
