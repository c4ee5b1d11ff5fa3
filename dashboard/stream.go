package dashboard

import (
	"bufio"
	"context"
	"errors"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/facility"
)

const (
	heartbeat    = 15 * time.Second
	flushTimeout = 10 * time.Second // for one flush to leave this machine
	hurryTimeout = time.Second      // for the same when the stream ends
)

// events opens the event stream.
func (s *Server) events(c *fiber.Ctx, v *visitor) error {
	conn := c.Context().Conn()
	client, err := s.hub.enter(c.UserContext(), v.person, v.hash, func() {
		_ = conn.SetWriteDeadline(time.Now().Add(hurryTimeout)) // a connection without deadlines is closed already
	})
	if errors.Is(err, errFull) {
		return tooMany(30 * time.Second)
	}
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/event-stream; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "no-store, no-transform")
	c.Set("X-Accel-Buffering", "no") // nginx keeps it back otherwise
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer s.hub.left(client)
		s.pump(client, conn, w)
	})
	return nil
}

// pump writes a client's frames until the hub ends the stream, the other side is
// gone or its session has ended.
func (s *Server) pump(cl *client, conn net.Conn, w *bufio.Writer) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case f, ok := <-cl.queue:
			if !ok || !writeFrames(cl, conn, w, f) {
				return
			}
		case <-beat.C:
			if !s.stillSignedIn(cl) || !flush(conn, w, []byte(": still here\n\n")) {
				return
			}
		}
	}
}

// writeFrames writes a frame and all that wait behind it with one flush.
func writeFrames(cl *client, conn net.Conn, w *bufio.Writer, f []byte) bool {
	for {
		select {
		case next, ok := <-cl.queue:
			if !ok {
				flush(conn, w, f)
				return false
			}
			if _, err := w.Write(f); err != nil {
				return false
			}
			f = next
		default:
			return flush(conn, w, f)
		}
	}
}

// flush sends a frame with its own deadline: the one of the whole answer has
// long passed.
func flush(conn net.Conn, w *bufio.Writer, f []byte) bool {
	if err := conn.SetWriteDeadline(time.Now().Add(flushTimeout)); err != nil {
		return false
	}
	if _, err := w.Write(f); err != nil {
		return false
	}
	return w.Flush() == nil
}

// stillSignedIn reports whether the session goes on with the same role. When the
// ledger does not answer the benefit of the doubt lasts until the next beat.
func (s *Server) stillSignedIn(cl *client) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	_, person, err := s.options.People.Session(ctx, cl.hash, s.now())
	if err != nil {
		return !errors.Is(err, facility.ErrNotFound)
	}
	return !person.Disabled && person.Role == cl.person.Role
}
