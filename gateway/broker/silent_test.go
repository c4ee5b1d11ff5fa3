package broker

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// TestABrokerThatNeverConfirms: a subscription whose confirmation was lost is made
// again on another connection. Such a connection answers every ping.
func TestABrokerThatNeverConfirms(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for confirms := false; ; confirms = true {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { forgetful(c, confirms) })
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	subscribed := 0
	o := ClientOptions{URL: "tcp://" + l.Addr().String(), ClientID: "edge", Patience: 100 * time.Millisecond, MinPause: time.Millisecond}
	err = Maintain(ctx, o, func(ctx context.Context, c *Connection) error {
		if err := c.Subscribe(ctx, "gengfu/ack", 1, func(Message) {}); err != nil {
			return err
		}
		subscribed++
		cancel()
		return nil
	})
	if err != nil || subscribed != 1 {
		t.Errorf("subscribed %d times, %v", subscribed, err)
	}
}

// forgetful is a broker that speaks just enough MQTT 3.1.1 to connect, and confirms
// subscriptions or does not.
func forgetful(c net.Conn, confirms bool) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return
		}
		size, err := binary.ReadUvarint(in) // MQTT counts lengths in the same way
		if err != nil {
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		var reply []byte
		switch kind >> 4 {
		case 1: // CONNECT
			reply = []byte{0x20, 2, 0, 0}
		case 8: // SUBSCRIBE
			if confirms {
				reply = []byte{0x90, 3, body[0], body[1], 1}
			}
		case 12: // PINGREQ
			reply = []byte{0xD0, 0}
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}
