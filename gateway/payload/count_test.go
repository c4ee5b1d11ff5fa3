package payload

import (
	"testing"
	"time"

	"gengfu/facility"
)

// TestFactsAreCountedWhateverTheyHold: no text that a fact carries looks like another.
func TestFactsAreCountedWhateverTheyHold(t *testing.T) {
	at := time.Unix(1_795_356_000, 0)
	nasty := facility.Reason(`"n":{"n":"x"},{"n":`)
	readings := []facility.Reading{
		{Point: facility.PointID{Device: "n", Quantity: "n"}, Time: at, Value: 1, Quality: facility.Good, Unit: `"n":`},
		{Point: facility.PointID{Device: "a", Quantity: "b"}, Time: at, Quality: facility.Bad, Reason: nasty},
		{Point: facility.PointID{Device: "a", Quantity: "c"}, Time: at, Value: 2, Quality: facility.Uncertain, Reason: nasty},
	}
	batch, err := AppendReadings(nil, readings)
	if err != nil {
		t.Fatal(err)
	}
	tap := AppendTap(nil, facility.Tap{ID: `"n":`, Person: `"n":"n":`, Reader: string(nasty), TappedAt: at})
	if got := Facts(batch); got != len(readings) {
		t.Errorf("%d facts in %s, want %d", got, batch, len(readings))
	}
	if got := Facts(tap); got != 1 {
		t.Errorf("%d facts in %s", got, tap)
	}
	h := Header{Site: "n", Gateway: "n", Stream: facility.Urgent, Epoch: `"n":`, Received: at}
	stamped := Stamp{Boot: "n", Up: time.Second, Basis: Unknown}.On(batch)
	if got := FactsWrapped(Wrap(h, stamped, tap)); got != len(readings)+1 {
		t.Errorf("%d facts in a payload of %d", got, len(readings)+1)
	}
}

func FuzzFacts(f *testing.F) {
	f.Add("unit", "reason", "person")
	f.Add(`"n":`, `\"n\":`, "{\"n\":")
	f.Fuzz(func(t *testing.T, unit, reason, person string) {
		r := facility.Reading{
			Point: facility.PointID{Device: "a", Quantity: "b"}, Time: time.Unix(1, 0),
			Value: 1, Quality: facility.Uncertain, Unit: unit, Reason: facility.Reason(reason),
		}
		if batch, err := AppendReadings(nil, []facility.Reading{r, r}); err == nil && Facts(batch) != 2 {
			t.Errorf("%d facts in %s", Facts(batch), batch)
		}
		if tap := AppendTap(nil, facility.Tap{ID: reason, Person: person, Reader: unit, Credential: reason}); Facts(tap) != 1 {
			t.Errorf("%d facts in %s", Facts(tap), tap)
		}
	})
}
