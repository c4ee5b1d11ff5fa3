package daemon

import (
	"context"
	"net"
	"sync"
	"time"
)

// leaveWithin is how long connections may take to end when the program does. A
// browser opens some beforehand and says nothing on them; a server that is polite
// waits for those too.
const leaveWithin = time.Second

// doorway is a listener that knows who is inside.
type doorway struct {
	net.Listener
	mu     sync.Mutex
	inside map[*visit]struct{}
}

// visit is one connection.
type visit struct {
	net.Conn
	door *doorway
}

func newDoorway(ln net.Listener) *doorway {
	return &doorway{Listener: ln, inside: map[*visit]struct{}{}}
}

// Accept implements net.Listener.
func (d *doorway) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visit{c, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside[v] = struct{}{}
	return v, nil
}

// Close implements net.Conn.
func (v *visit) Close() error {
	v.door.mu.Lock()
	delete(v.door.inside, v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}

// clear ends all connections that are left.
func (d *doorway) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for v := range d.inside {
		_ = v.Conn.Close() // its server sees that it is gone
	}
}

// serve runs a server until ctx ends and the server has, and ends what it leaves
// open for longer than leaveWithin.
func (d *doorway) serve(ctx context.Context, server func(context.Context, net.Listener) error) error {
	served := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-ctx.Done():
		case <-served:
			return
		}
		patience := time.NewTimer(leaveWithin)
		defer patience.Stop()
		select {
		case <-patience.C:
			d.clear()
		case <-served:
		}
	})
	err := server(ctx, d)
	close(served)
	watching.Wait()
	return err
}
