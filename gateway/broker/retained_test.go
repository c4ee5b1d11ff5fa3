package broker

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// TestRetainedWhileOthersSubscribe: clients say again and again how they are, while
// another asks for all of that. The race detector speaks when they meet.
func TestRetainedWhileOthersSubscribe(t *testing.T) {
	b := embed(t, EmbeddedOptions{})
	const writers, topics, times = 3, 5, 100
	var writing sync.WaitGroup
	defer writing.Wait()
	failed := make(chan error, writers)
	for w := range writers {
		writing.Go(func() {
			failed <- connected(t.Context(), ClientOptions{URL: b.URL(), ClientID: fmt.Sprint("writer-", w)}, func(ctx context.Context, c *Connection) error {
				for i := range times {
					m := Message{Topic: fmt.Sprintf("a/%d-%d/status", w, i%topics), Payload: []byte("x"), QoS: 1, Retained: true}
					if err := c.PublishConfirmed(ctx, m); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	connect(t, ClientOptions{URL: b.URL(), ClientID: "reader"}, func(ctx context.Context, c *Connection) error {
		for range times {
			if err := c.Subscribe(ctx, "a/+/status", 0, func(Message) {}); err != nil {
				return err
			}
		}
		return nil
	})
	for range writers {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{}
	connect(t, ClientOptions{URL: b.URL(), ClientID: "late"}, func(ctx context.Context, c *Connection) error {
		topic := make(chan string, writers*topics)
		if err := c.Subscribe(ctx, "a/+/status", 1, func(m Message) { topic <- m.Topic }); err != nil {
			return err
		}
		for len(got) < writers*topics {
			select {
			case m := <-topic:
				got[m] = true
			case <-ctx.Done():
				return fmt.Errorf("got %d of %d: %w", len(got), writers*topics, ctx.Err())
			}
		}
		return nil
	})
}
