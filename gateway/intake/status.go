package intake

import (
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/payload"
)

// status notes the state of a gateway. One that is retained was there before
// this connection: its sender may wait for a hub, and is told that one is here.
func (in *Intake) status(g *group, key gatewayKey, m broker.Message, s facility.Stream) []broker.Message {
	st, err := payload.ParseStatus(m.Payload)
	if err != nil {
		if len(m.Payload) > 0 && s == facility.Urgent { // empty: somebody removed it
			in.bury(g, m, err, false)
		}
		return nil
	}
	if s == facility.Urgent {
		in.noteStatus(key, st)
	}
	switch {
	case st.State != payload.Online:
		return nil
	case !m.Retained && st.Boot != "" && s == facility.Urgent: // it asks for the time
		return []broker.Message{in.ack(streamKey{key.site, key.gateway, s}, in.timed(payload.Ack{Stream: s}, moment{st.Boot, st.Up}))}
	case !m.Retained:
		return nil
	}
	return []broker.Message{in.ack(streamKey{key.site, key.gateway, s}, payload.Ack{Stream: s, Again: true})}
}

func (in *Intake) noteStatus(key gatewayKey, st payload.Status) {
	in.mu.Lock()
	defer in.mu.Unlock()
	g, ok := in.gateways[key]
	if !ok && len(in.gateways) >= maxStreams {
		return
	}
	if !ok {
		g = &GatewayStats{Site: key.site, ID: key.gateway}
		in.gateways[key] = g
	}
	online := st.State == payload.Online
	if !ok || g.Online != online {
		g.Since, g.heard = in.o.Now().UTC(), in.o.Now()
		in.log.Info("gateway", "site", key.site, "gateway", key.gateway, "state", st.State)
	}
	if !st.Since.IsZero() {
		g.Since = st.Since
	}
	g.Online, g.Clock, g.Differs = online, st.Clock, st.Differs
	if st.Version != "" {
		g.Version = st.Version
	}
}

// moment is an instant by a gateway's clock: of which boot, and how long after it.
type moment struct {
	boot string
	up   time.Duration
}

// timed tells the time in answer to what was sent at the moment, so that the gateway
// knows by how much it can be wrong. To others, and when the hub does not know the time
// itself, it says nothing.
func (in *Intake) timed(a payload.Ack, sent moment) payload.Ack {
	if at, known := in.o.Time(); known && sent.boot != "" {
		a.Boot, a.Up, a.Time = sent.boot, sent.up, at.UTC()
	}
	return a
}

// time is when something is received.
func (in *Intake) time() time.Time {
	at, _ := in.o.Time()
	return at.UTC()
}
