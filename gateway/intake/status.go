package intake

import (
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
	if !m.Retained || st.State != payload.Online {
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
	g.Online, g.Clock = online, st.Clock
	if st.Version != "" {
		g.Version = st.Version
	}
}
