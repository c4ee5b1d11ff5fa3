package broker

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listener takes the place of mochi's own, which waits neither for its accepting
// goroutine nor for connections that have not said who they are.
type listener struct {
	address string
	tls     *tls.Config

	socket  net.Listener
	mu      sync.Mutex
	conns   map[net.Conn]bool
	closed  bool
	serving sync.WaitGroup
}

var _ listeners.Listener = (*listener)(nil)

// ID implements listeners.Listener.
func (l *listener) ID() string { return "tcp" }

// Protocol implements listeners.Listener.
func (l *listener) Protocol() string { return "tcp" }

// Address implements listeners.Listener.
func (l *listener) Address() string {
	if l.socket == nil {
		return l.address
	}
	return l.socket.Addr().String()
}

// Init opens the socket.
func (l *listener) Init(*slog.Logger) (err error) {
	if l.tls != nil {
		l.socket, err = tls.Listen("tcp", l.address, l.tls)
	} else {
		l.socket, err = net.Listen("tcp", l.address)
	}
	return err
}

// Serve accepts connections until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	for l.accept(establish) {
	}
}

func (l *listener) accept(establish listeners.EstablishFn) bool {
	c, err := l.socket.Accept()
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close()
		return false
	}
	l.conns[c] = true
	l.serving.Go(func() {
		_ = establish(l.ID(), c) // the server logs how a connection ends
		_ = c.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
	})
	return true
}

// Close ends all connections.
func (l *listener) Close(closeClients listeners.CloseFn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	_ = l.socket.Close()
	closeClients(l.ID())
	for c := range l.conns {
		_ = c.Close()
	}
}
