package line

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrBroken says that the line itself failed: the port vanished or the socket was
// closed. The owner closes it and opens it again.
var ErrBroken = errors.New("line broken")

// slice is the longest time that a read does not look at its context.
const slice = 100 * time.Millisecond

// port is what a serial port and a socket have in common.
type port interface {
	// read waits for at least one byte; nothing in time is (0, nil).
	read(p []byte, wait time.Duration) (int, error)
	write(p []byte) error
	discard() error
	close() error
	settled() // a frame is complete; nothing to most ports
}

// Conn is an open line. It belongs to one goroutine.
type Conn struct {
	name string
	port port
}

// Name returns the port or address.
func (c *Conn) Name() string { return c.name }

// Read waits until the deadline for at least one byte and takes what is there. It
// returns os.ErrDeadlineExceeded when nothing came, the context's error when that
// ended first, and ErrBroken when the line is lost. What has arrived already is
// read even when the deadline is past.
func (c *Conn) Read(ctx context.Context, p []byte, deadline time.Time) (int, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		left := time.Until(deadline)
		n, err := c.port.read(p, min(max(left, 0), slice))
		switch {
		case err != nil:
			return n, fmt.Errorf("read %s: %w: %w", c.name, ErrBroken, err)
		case n > 0:
			return n, nil
		case left <= 0:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// Write hands all bytes to the line. On a serial port they are then still on
// their way for as long as their characters take.
func (c *Conn) Write(ctx context.Context, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.port.write(p); err != nil {
		return fmt.Errorf("write %s: %w: %w", c.name, ErrBroken, err)
	}
	return nil
}

// Discard throws away what has arrived and was not read, and on a serial port
// also what was written and not sent.
func (c *Conn) Discard() error {
	if err := c.port.discard(); err != nil {
		return fmt.Errorf("clear %s: %w: %w", c.name, ErrBroken, err)
	}
	return nil
}

// Settled says that what was read is a complete frame, and what comes next no part
// of it. A box may then say something of its own, which is passed over.
func (c *Conn) Settled() { c.port.settled() }

// Settle calls Settled on lines that have it.
func Settle(conn any) {
	if s, ok := conn.(interface{ Settled() }); ok {
		s.Settled()
	}
}

// Close closes the line.
func (c *Conn) Close() error {
	if err := c.port.close(); err != nil {
		return fmt.Errorf("close %s: %w", c.name, err)
	}
	return nil
}
