package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/devices"
	"gengfu/facility"
	"gengfu/gateway/clock"
)

// What is one state of the chain from the field to history and judge.
type what string

// The states, the worst first. The last two mend themselves.
const (
	chainMissing  what = "missing"   // the law is broken
	chainLedger   what = "ledger"    // it cannot be written
	chainHubDisk  what = "hub_disk"  // the hub makes nothing durable
	chainEdgeDisk what = "edge_disk" // an edge's disk refuses its journal
	chainStuck    what = "stuck"     // a stream sends what this program cannot read
	chainSilent   what = "silent"    // the hub does not acknowledge
	chainApart    what = "apart"     // no connection to the broker
	chainHistory  what = "history"   // it cannot be written
	chainGateway  what = "gateway"   // one is away
	chainRivals   what = "rivals"    // two use one name, one disk or one site
	chainLine     what = "line"      // one is down
	chainClock    what = "clock"     // it is not right
	chainRules    what = "rules"     // some that were made in the dashboard fit the site no longer
	chainSending  what = "sending"   // a backlog is on its way
	chainCatching what = "catching"  // history or judge are behind
)

// severity is their order.
var severity = [...]what{
	chainMissing, chainLedger, chainHubDisk, chainEdgeDisk, chainStuck, chainSilent, chainApart, chainHistory,
	chainGateway, chainRivals, chainLine, chainClock, chainRules, chainSending, chainCatching,
}

// finding is one sentence about the chain.
type finding struct {
	What  what          `json:"what"`
	Since *time.Time    `json:"since,omitempty"`
	Text  facility.Text `json:"text"`

	key string // tells two of the same kind apart
	// patient is how long it must last before it is said.
	patient time.Duration
}

// summary is the state of the chain in a sentence, and what else there is to say.
type summary struct {
	State string        `json:"state"` // ok, busy, trouble
	Since *time.Time    `json:"since,omitempty"`
	Text  facility.Text `json:"text"`
	All   []finding     `json:"all"` // the worst first
}

// How long something may be so before it is worth a word.
const (
	// atOnce is also how soon what is live arrives.
	atOnce = 10 * time.Second
	soon   = time.Minute
	// manyWait is how many facts may wait on their way without being called a backlog.
	manyWait = 5000
)

// findings says what is to be said of the present figures.
func findings(h *health) (out []finding) {
	say := func(w what, key string, patient time.Duration, zh, en string, args ...any) *finding {
		out = append(out, finding{What: w, key: key, patient: patient, Text: facility.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}})
		return &out[len(out)-1]
	}
	if d := h.Law.Difference; d > 0 {
		say(chainMissing, "", atOnce, "账目不平：%[1]s 条数据去向不明", "the counters disagree: %[1]s facts are missing", count(d))
	} else if d < 0 {
		say(chainMissing, "", atOnce, "账目不平：多出 %[1]s 条来历不明的数据", "the counters disagree: there are %[1]s facts of which nobody knows", count(-d))
	}
	if h.Ledger.Error != "" {
		say(chainLedger, "", 0, "台账无法写入，%d 项判定等待写入", "the ledger cannot be written, %d decisions wait", h.Judge.Unwritten)
	}
	if h.Intake != nil {
		for _, s := range sortedKeys(h.Intake.Trouble) {
			say(chainHubDisk, s, 0, "中心无法落盘（%s），数据留在各网关", "the hub cannot make durable what comes (%s); the gateways keep it", s)
		}
		for _, s := range h.Intake.Streams {
			if s.Stuck != "" {
				say(chainStuck, s.Gateway+s.Epoch, 0, "网关 %s 的程序比中心新，数据留在该网关", "gateway %s runs a newer program than the hub, and keeps what it sends", s.Gateway)
			}
			if len(s.Rivals) > 0 {
				say(chainRivals, s.Gateway+string(s.Stream), 0, "有两台网关同用名称 %s", "two gateways use the name %s", s.Gateway)
			}
			if len(s.Copies) > 0 {
				say(chainRivals, s.Gateway+string(s.Stream)+"copy", 0, "网关 %s 的磁盘副本正在使用", "a copy of the disk of gateway %s is in use", s.Gateway)
			}
		}
		for _, other := range h.Intake.Hubs {
			say(chainRivals, other.ID, 0, "另有一个中心在接收本小区的数据，请停用其一", "another hub takes this site: stop one")
		}
	}
	findStreams(h, say)
	if h.History.Error != "" {
		say(chainHistory, "", 0, "历史库无法写入，%s 条数据等待", "the history cannot be written, %s facts wait", count(h.Law.History.Queued))
	}
	for _, g := range h.Gateways {
		if f := g; !f.Online {
			since := f.Since
			say(chainGateway, f.ID, 0, "网关 %s 离线", "gateway %s is away", f.ID).Since = &since
		}
	}
	for _, l := range h.Lines {
		if l.State == devices.LineDown {
			say(chainLine, l.ID, atOnce, "总线 %s 中断", "line %s is down", l.ID)
		}
	}
	if slices.Contains([]clock.Condition{clock.Unknown, clock.Stepped, clock.Drifting}, h.Clock.State) {
		say(chainClock, string(h.Clock.State), 0, "本机时钟不准", "the clock of this machine is not right")
	}
	if h.Judge != nil {
		for _, rule := range h.Judge.RulesLeftOut {
			say(chainRules, rule, 0, "规则 %s 已不适合本小区的设备，没有启用", "rule %s fits the devices of this site no longer, and is left out", rule)
		}
	}
	findBehind(h, say)
	return out
}

type sayer = func(w what, key string, patient time.Duration, zh, en string, args ...any) *finding

// findStreams looks at the way from this edge to the hub.
func findStreams(h *health, say sayer) {
	queued := map[string]int64{}
	for _, s := range h.Law.Streams {
		queued[s.Gateway+s.Stream] = s.Queued
	}
	for _, s := range h.Streams {
		if !s.own {
			continue
		}
		name, n := string(s.Stream), queued[s.Gateway+string(s.Stream)]
		if s.Trouble != "" {
			say(chainEdgeDisk, name, 0, "网关磁盘拒绝写入，%s 批数据只在内存中", "the gateway's disk refuses, %s batches are in memory only", count(s.Volatile))
		}
		switch {
		case !s.Connected:
			say(chainApart, name, atOnce, "未连接消息服务器，%s 条数据等待", "there is no connection to the broker, %s facts wait", count(n))
		case n > 0:
			// The key is another one with each acknowledgement, so this lasts only without.
			say(chainSilent, name+strconv.FormatUint(s.Acknowledged, 10), soon, "中心没有确认，%s 条数据等待", "the hub does not acknowledge, %s facts wait", count(n))
		}
		if n > manyWait {
			say(chainSending, name, atOnce, "正在补传，还有 %s 条数据等待", "a backlog is being sent, %s facts wait", count(n))
		}
	}
}

// findBehind looks at what has come and is not yet where it belongs.
func findBehind(h *health, say sayer) {
	if h.Law.History == nil {
		return
	}
	if n := h.Law.History.Queued; n > manyWait && h.History.Error == "" {
		say(chainCatching, "history", atOnce, "历史库正在追赶，还有 %s 条数据", "the history is catching up, %s facts wait", count(n))
	}
	if n := h.Law.Judge.Queued; n > manyWait && h.Ledger.Error == "" {
		say(chainCatching, "judge", atOnce, "判定正在追赶，还有 %s 条数据", "judging is catching up, %s facts wait", count(n))
	}
}

// chain remembers since when things are so. It belongs to one goroutine at a time.
type chain struct {
	since map[string]time.Time
	fine  time.Time // since when nothing was to be said
}

// summarise says the state of the chain at the instant now, of the zone.
func (c *chain) summarise(found []finding, queued int64, now time.Time, zone *time.Location) summary {
	known := c.since
	c.since = map[string]time.Time{}
	s := summary{State: "ok", All: []finding{}}
	for _, f := range found {
		id := string(f.What) + " " + f.key
		first, ok := known[id]
		if !ok {
			first = now
		}
		c.since[id] = first
		if f.Since == nil {
			f.Since = &first
		}
		if now.Sub(first) < f.patient {
			continue
		}
		f.tellTime(now, zone)
		s.All = append(s.All, f)
	}
	slices.SortStableFunc(s.All, worst)
	if slices.ContainsFunc(s.All, func(f finding) bool { return f.What == chainSilent || f.What == chainApart }) {
		s.All = slices.DeleteFunc(s.All, func(f finding) bool { return f.What == chainSending })
	}
	if len(s.All) == 0 {
		return c.allWell(s, queued, now)
	}
	c.fine = time.Time{}
	s.State = "trouble"
	if w := s.All[0].What; w == chainSending || w == chainCatching {
		s.State = "busy"
	}
	s.Since, s.Text = s.All[0].Since, s.All[0].Text
	if more := len(s.All) - 1; more > 0 {
		s.Text.ZH += fmt.Sprintf("（另有 %d 项）", more)
		s.Text.EN += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}

func (c *chain) allWell(s summary, queued int64, now time.Time) summary {
	if c.fine.IsZero() {
		c.fine = now
	}
	since := c.fine
	s.Since = &since
	s.Text = facility.Text{ZH: "数据全部送达，没有积压", EN: "everything that was read has arrived, nothing is waiting"}
	if queued > manyWait {
		s.State = "busy"
		s.Text = facility.Text{ZH: fmt.Sprintf("数据畅通，%s 条在途", count(queued)), EN: fmt.Sprintf("all is flowing, %s facts are on their way", count(queued))}
	}
	return s
}

// tellTime says since when: "since 10:32", with the day where it was another.
func (f *finding) tellTime(now time.Time, zone *time.Location) {
	at, today := f.Since.In(zone), now.In(zone)
	form := "15:04"
	if at.YearDay() != today.YearDay() || at.Year() != today.Year() {
		form = "01-02 15:04"
	}
	if f.Since.IsZero() || now.Sub(*f.Since) < soon {
		return
	}
	lasts := now.Sub(*f.Since)
	f.Text.ZH = fmt.Sprintf("自 %s 起（%s）%s", at.Format(form), spanZH(lasts), f.Text.ZH)
	f.Text.EN = fmt.Sprintf("since %s (%s) %s", at.Format(form), spanEN(lasts), f.Text.EN)
}

func spanEN(d time.Duration) string {
	switch {
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}

func spanZH(d time.Duration) string {
	switch {
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " 分钟"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " 小时"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " 天"
}

// count writes a number with commas, as both languages do.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// worst orders findings: by what they are, and of one kind the oldest first.
func worst(a, b finding) int {
	return cmp.Or(cmp.Compare(slices.Index(severity[:], a.What), slices.Index(severity[:], b.What)), a.Since.Compare(*b.Since))
}
