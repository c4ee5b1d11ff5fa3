package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// proxy is a relay that treats what it carries badly, as it is told.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	random  *rand.Rand
	harm    harm
	conns   map[net.Conn]*way
	did     damage
	running sync.WaitGroup
}

// way is what is known of one connection.
type way struct{ deaf bool }

// harm is what a proxy does. Shares are of the pieces that it carries, each of at
// most 4 kB.
type harm struct {
	refuse    bool          // no connection is taken, those that are there break
	silent    bool          // nothing is carried on new ones, which stay open
	delay     time.Duration // of each piece, at most
	cut       float64       // share after which the connection breaks, in the midst of the piece
	duplicate float64       // share that is said twice
	corrupt   float64       // share in which a bit is turned
}

// damage counts what a proxy did.
type damage struct{ Cut, Duplicated, Corrupted, Deafened int }

func newProxy(target string, seed uint64) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]*way{}, random: rand.New(rand.NewPCG(seed, 1))}
	p.running.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) close() error {
	err := p.listener.Close()
	p.cutAll()
	p.running.Wait()
	return err
}

func (p *proxy) be(h harm) {
	p.mu.Lock()
	p.harm = h
	p.mu.Unlock()
	if h.refuse {
		p.cutAll()
	}
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// deafen leaves all connections that are there half open for good: neither side
// hears anything any more, nor that the other is gone.
func (p *proxy) deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.conns {
		w.deaf = true
		p.did.Deafened++
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.relay(c) })
	}
}

func (p *proxy) relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	w := &way{}
	p.mu.Lock()
	if p.harm.refuse {
		p.mu.Unlock()
		return
	}
	w.deaf = p.harm.silent
	p.conns[client], p.conns[server] = w, w
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	}()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var ways sync.WaitGroup
	ways.Go(func() { p.carry(ctx, w, server, client) })
	ways.Go(func() { p.carry(ctx, w, client, server) })
	ways.Wait()
}

// carry copies until one side ends, then ends both.
func (p *proxy) carry(ctx context.Context, w *way, to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			err = errors.Join(err, p.pass(ctx, w, to, buf[:n]))
		}
		if err == nil {
			continue
		}
		if p.deaf(w) { // that one side is gone is not heard on the other
			return
		}
		_ = to.Close()
		_ = from.Close()
		return
	}
}

func (p *proxy) deaf(w *way) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.deaf
}

var errCut = errors.New("cut")

func (p *proxy) pass(ctx context.Context, w *way, to net.Conn, piece []byte) error {
	p.mu.Lock()
	h, r := p.harm, p.random
	if w.deaf {
		p.mu.Unlock()
		return nil
	}
	var delay time.Duration
	if h.delay > 0 {
		delay = time.Duration(r.Int64N(int64(h.delay)))
	}
	times, end := 1, len(piece)
	cut := r.Float64() < h.cut
	if cut {
		end = r.IntN(len(piece))
		p.did.Cut++
	}
	if r.Float64() < h.duplicate {
		times = 2
		p.did.Duplicated++
	}
	if r.Float64() < h.corrupt {
		piece[r.IntN(len(piece))] ^= 1 << r.IntN(8)
		p.did.Corrupted++
	}
	p.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	for range times {
		if _, err := to.Write(piece[:end]); err != nil {
			return err
		}
	}
	if cut {
		return errCut
	}
	return nil
}
