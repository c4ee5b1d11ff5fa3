package password

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

var cheap = Cost{Memory: 64, Passes: 1, Lanes: 1}

func TestHashAndMatches(t *testing.T) {
	stored, err := Hash("correct horse", cheap)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("stored form is %q", stored)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false, "Correct horse": false} {
		got, err := Matches(stored, password)
		if err != nil || got != want {
			t.Errorf("Matches(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
	again, err := Hash("correct horse", cheap)
	if err != nil || again == stored {
		t.Errorf("the same password twice gave the same hash %q (%v): no salt", again, err)
	}
}

// The vector was computed with the reference implementation's command line:
// echo -n password | argon2 somesalt -id -v 13 -t 2 -k 256 -p 1 -l 32.
func TestReferenceVector(t *testing.T) {
	const stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	ok, err := Matches(stored, "password")
	if err != nil || !ok {
		t.Errorf("the reference hash does not match: %v, %v", ok, err)
	}
}

func TestDefaultCostIsAtLeast19MiB(t *testing.T) {
	stored, err := Hash("x", DefaultCost())
	if err != nil || !strings.Contains(stored, "m=19456,t=2,p=1") {
		t.Errorf("Hash = %q, %v", stored, err)
	}
}

func TestCheckerWaitsForASlot(t *testing.T) {
	c, err := NewChecker(cheap, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := c.Matches(ctx, "", "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with all slots taken: %v, want deadline exceeded", err)
	}
	c.leave()
	if ok, err := c.Matches(context.Background(), "", "x"); ok || err != nil {
		t.Errorf("nobody's password: %v, %v", ok, err)
	}
}

func FuzzMatches(f *testing.F) {
	stored, err := Hash("seed", cheap)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add("")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, stored string) {
		if cost, _, _, err := decode(stored); err == nil && (cost.Memory > 1024 || cost.Passes > 4) {
			t.Skip("lawful but dear")
		}
		ok, err := Matches(stored, "not the seed")
		if ok && err != nil {
			t.Errorf("matches although %v", err)
		}
	})
}
