package intake

import (
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

func TestQuiet(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := noon
	j, err := journal.Open(filepath.Join(t.TempDir(), "hub.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := j.AppendMarked(t.Context(), []journal.Mark{{Key: streamKey{"s", "old", facility.Urgent}.mark("e"), Seq: 7}}); err != nil {
		t.Fatal(err)
	}
	in, err := New(Options{Root: "r", Site: "s", URL: "tcp://127.0.0.1:1", Journal: j, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	says := func(gateway, state string) {
		in.noteStatus(gatewayKey{"s", gateway}, payload.Status{State: state, Since: noon.Add(-time.Hour)})
	}
	for _, step := range []struct {
		name  string
		do    func()
		after time.Duration
		want  bool
	}{
		{"before the hub is connected", func() {}, time.Hour, false},
		{"just connected", func() { in.noteConnected(facility.Urgent, now) }, time.Second, false},
		{"a gateway that was known has yet to come back", func() {}, 30 * time.Second, false},
		{"it has come, and may still send", func() { says("old", payload.Online) }, time.Second, false},
		{"it has had time to", func() {}, 10 * time.Second, true},
		{"says the same again", func() { says("old", payload.Online) }, 0, true},
		{"another comes", func() { says("new", payload.Online) }, 9 * time.Second, false},
		{"and has sent what it held", func() {}, time.Second, true},
		{"one is away", func() { says("new", payload.Offline) }, time.Hour, false},
		{"and back", func() { says("new", payload.Online) }, 10 * time.Second, true},
		{"samples do not matter", func() { in.noteConnected(facility.Telemetry, time.Time{}) }, 0, true},
		{"the hub is cut off", func() { in.noteConnected(facility.Urgent, time.Time{}) }, time.Hour, false},
	} {
		step.do()
		now = now.Add(step.after)
		if got := in.Quiet(now); got != step.want {
			t.Errorf("%s: quiet is %v", step.name, got)
		}
	}

	gone, err := New(Options{Root: "r", Site: "s", URL: "tcp://127.0.0.1:1", Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	gone.noteConnected(facility.Urgent, noon)
	if gone.Quiet(noon.Add(59 * time.Second)) {
		t.Error("a gateway that was known is not waited for")
	}
	if !gone.Quiet(noon.Add(time.Minute)) {
		t.Error("a gateway that is no more is waited for")
	}
}
