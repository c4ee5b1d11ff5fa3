package payload

import (
	"testing"
	"time"

	"gengfu/facility"
)

func TestControlRoundTrip(t *testing.T) {
	a := Ack{Stream: facility.Urgent, Epoch: "e", Seq: 1<<53 - 1, Again: true}
	if got, err := ParseAck(MarshalControl(a)); err != nil || got != a {
		t.Errorf("%+v, %v", got, err)
	}
	s := Status{State: Online, Since: time.Date(2026, 11, 22, 1, 2, 3, 4, time.UTC), Version: "1", Clock: "synchronised"}
	if got, err := ParseStatus(MarshalControl(s)); err != nil || got != s {
		t.Errorf("%+v, %v", got, err)
	}
	if got := string(MarshalControl(Status{State: Offline})); got != `{"crc":"f9821dc8","state":"offline"}` {
		t.Errorf("will %s", got)
	}
	for _, bad := range []string{"", "{}", "[]", `{"stream":"other"}`, `{"stream":"urgent","seq":-1}`, `{"state":"asleep"}`} {
		if _, err := ParseAck([]byte(bad)); err == nil {
			t.Errorf("accepted %q as an acknowledgement", bad)
		}
		if _, err := ParseStatus([]byte(bad)); err == nil {
			t.Errorf("accepted %q as a status", bad)
		}
	}
}

func TestTopics(t *testing.T) {
	topic := Topic("a/b", "example", "gw1", "urgent")
	if topic != "a/b/example/gw1/urgent" {
		t.Error(topic)
	}
	site, gateway, what, ok := ParseTopic("a/b", topic)
	if site != "example" || gateway != "gw1" || what != "urgent" || !ok {
		t.Error(site, gateway, what, ok)
	}
	for _, bad := range []string{"", "a/b", "a/b/c", "a/b/s/g", "a/b/s/g/x/y", "x/b/s/g/urgent", "a/b//g/urgent", "a/b/s/+/urgent", "a/b/s/a:b/urgent"} {
		if _, _, _, ok := ParseTopic("a/b", bad); ok {
			t.Errorf("accepted %q", bad)
		}
	}
}

func FuzzControl(f *testing.F) {
	f.Add([]byte(`{"stream":"urgent","epoch":"e","seq":7,"again":true}`))
	f.Add([]byte(`{"state":"online","since":"2026-11-22T01:02:03Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAck(b); err == nil {
			if again, err := ParseAck(MarshalControl(a)); err != nil || again != a {
				t.Errorf("%+v became %+v, %v", a, again, err)
			}
		}
		if s, err := ParseStatus(b); err == nil {
			if again, err := ParseStatus(MarshalControl(s)); err != nil || !again.Since.Equal(s.Since) || again.State != s.State {
				t.Errorf("%+v became %+v, %v", s, again, err)
			}
		}
	})
}
