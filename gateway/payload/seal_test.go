package payload

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
)

// TestDamageOnTheWay turns every bit of a payload and of an acknowledgement: none is
// read as something else than what was sent.
func TestDamageOnTheWay(t *testing.T) {
	batch, err := AppendReadings(nil, sample())
	if err != nil {
		t.Fatal(err)
	}
	whole := Wrap(sampleHeader, batch, AppendTap(nil, sampleTap))
	sent := Ack{Stream: facility.Urgent, Epoch: "e1", Seq: 12}
	ack := MarshalControl(sent)
	turned := func(b []byte, i int) []byte {
		out := append([]byte(nil), b...)
		out[i/8] ^= 1 << (i % 8)
		return out
	}
	header, readings, taps, err := Decode(whole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		broken := turned(whole, i)
		h, r, p, err := Decode(broken)
		if err == nil && cmp.Diff(header, h)+cmp.Diff(readings, r)+cmp.Diff(taps, p) != "" {
			t.Errorf("bit %d turned: read as %+v, %+v, %+v", i, h, r, p)
		}
		if uh, _, err := Unwrap(broken); err == nil && uh != header {
			t.Errorf("bit %d turned: the header is %+v", i, uh)
		}
	}
	for i := range 8 * len(ack) {
		if a, err := ParseAck(turned(ack, i)); err == nil && a != sent {
			t.Errorf("bit %d turned: %+v", i, a)
		}
	}
}

// TestUnsealed: other programs need not know the checksum.
func TestUnsealed(t *testing.T) {
	for _, p := range []string{
		`[{"bn":"urn:gengfu:example:gw1:","n":"batch","v":12,"stream":"urgent","epoch":"e1","prev":11},{"n":"pump-1/fault","v":1}]`,
		` [ {"n":"batch","bn":"urn:gengfu:example:gw1:","v":12,"stream":"urgent","epoch":"e1"} ]`,
	} {
		if _, _, _, err := Decode([]byte(p)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if a, err := ParseAck([]byte(`{"stream":"urgent","epoch":"e1","seq":3}`)); err != nil || a.Seq != 3 {
		t.Errorf("%+v, %v", a, err)
	}
}
