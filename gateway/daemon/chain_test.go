package daemon

import (
	"strings"
	"testing"
	"time"

	"gengfu/gateway/account"
	"gengfu/gateway/hub"
	"gengfu/gateway/uplink"
)

// waiting is an edge whose samples wait for an acknowledgement.
func waiting(at time.Time, facts int64, acknowledged uint64) health {
	return health{
		At:      at,
		Streams: []streamHealth{{StreamStats: uplink.StreamStats{Gateway: "gw1", Stream: "telemetry", Connected: true, Acknowledged: acknowledged}, own: true}},
		Law:     account.Law{Balance: account.Balance{Queued: facts}, Streams: []account.Stream{{Gateway: "gw1", Stream: "telemetry", Own: true, Balance: account.Balance{Queued: facts}}}},
	}
}

func TestTheChainInASentence(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	start := time.Date(2026, 11, 22, 2, 32, 0, 0, time.UTC) // 10:32 there
	w := &watch{}
	for _, step := range []struct {
		after        time.Duration
		facts        int64
		acknowledged uint64
		state, en    string
	}{
		{0, 0, 1, "ok", "everything that was read has arrived, nothing is waiting"},
		{time.Second, 900, 1, "ok", "everything that was read has arrived, nothing is waiting"},
		{30 * time.Second, 6_000, 1, "busy", "all is flowing, 6,000 facts are on their way"},
		{5*time.Minute + time.Second, 12_400, 1, "trouble", "since 10:32 (5 min) the hub does not acknowledge, 12,400 facts wait"},
		{6 * time.Minute, 12_000, 9, "busy", "since 10:32 (5 min) a backlog is being sent, 12,000 facts wait"},
		{7 * time.Minute, 0, 20, "ok", "everything that was read has arrived, nothing is waiting"},
	} {
		s := w.look(waiting(start.Add(step.after), step.facts, step.acknowledged), zone)
		if s.State != step.state || s.Text.EN != step.en || s.Text.ZH == "" {
			t.Errorf("after %v: %s, %q / %q; want %s, %q", step.after, s.State, s.Text.EN, s.Text.ZH, step.state, step.en)
		}
	}
}

func TestABrokenLawComesFirst(t *testing.T) {
	w := &watch{}
	start := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	var s summary
	for _, after := range []time.Duration{0, 20 * time.Second} {
		h := waiting(start.Add(after), 0, 1)
		h.Law.Difference = 7
		h.Streams[0].Trouble, h.Streams[0].Volatile = "no space left on device", 3
		s = w.look(h, time.UTC)
	}
	if s.State != "trouble" || len(s.All) != 2 || s.All[0].What != chainMissing || s.All[1].What != chainEdgeDisk || !strings.Contains(s.Text.EN, "7 facts are missing (and 1 more)") {
		t.Errorf("%+v", s)
	}
}

func TestARuleThatIsLeftOutIsSaid(t *testing.T) {
	h := waiting(time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), 0, 1)
	h.Judge = &hub.Judgement{RulesLeftOut: []string{"own"}}
	s := (&watch{}).look(h, time.UTC)
	if s.State != "trouble" || len(s.All) != 1 || s.All[0].What != chainRules || !strings.Contains(s.Text.EN, "rule own") || !strings.Contains(s.Text.ZH, "own") {
		t.Errorf("%+v", s)
	}
}
