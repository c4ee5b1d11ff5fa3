package broker

import (
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// retained lets one client at a time write a retained message or look for those that a
// subscription asks for: mochi 2.7.9 reads, without a lock, the topics that others write
// then (TopicsIndex.scanMessages against RetainMessage), so that a torn string could end
// the program. What is held is let go by the same client, before it does anything that
// could wait. Only a delayed will of MQTT 5 is written without.
type retained struct {
	mqtt.HookBase
	mu     sync.Mutex
	holder atomic.Pointer[mqtt.Client]
}

// ID implements mqtt.Hook.
func (r *retained) ID() string { return "retained" }

// Provides implements mqtt.Hook.
func (r *retained) Provides(b byte) bool {
	switch b {
	case mqtt.OnPublish, mqtt.OnWill, mqtt.OnRetainMessage, mqtt.OnPacketSent, mqtt.OnPacketProcessed:
		return true
	}
	return false
}

func (r *retained) hold(c *mqtt.Client) {
	r.mu.Lock()
	r.holder.Store(c)
}

func (r *retained) release(c *mqtt.Client) {
	if r.holder.CompareAndSwap(c, nil) {
		r.mu.Unlock()
	}
}

// OnPublish implements mqtt.Hook: the next that is done with the message is to retain it.
func (r *retained) OnPublish(c *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	if p.FixedHeader.Retain {
		r.hold(c)
	}
	return p, nil
}

// OnWill implements mqtt.Hook: the same of a will.
func (r *retained) OnWill(c *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	if will.Retain && will.WillDelayInterval == 0 {
		r.hold(c)
	}
	return will, nil
}

// OnRetainMessage implements mqtt.Hook: it is retained.
func (r *retained) OnRetainMessage(c *mqtt.Client, _ packets.Packet, _ int64) { r.release(c) }

// OnPacketSent implements mqtt.Hook: behind the answer to a subscription comes the search.
func (r *retained) OnPacketSent(c *mqtt.Client, p packets.Packet, _ []byte) {
	if p.FixedHeader.Type == packets.Suback {
		r.hold(c)
	}
}

// OnPacketProcessed implements mqtt.Hook: the search has ended.
func (r *retained) OnPacketProcessed(c *mqtt.Client, p packets.Packet, _ error) {
	if p.FixedHeader.Type == packets.Subscribe {
		r.release(c)
	}
}
