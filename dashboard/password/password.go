// Package password turns passwords into argon2id hashes and checks them. It
// bounds how many are computed at once, because each costs memory and time that
// anybody on the network can ask for.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Limits of a password in bytes. The lower is NIST SP 800-63B §3.1.1.2 for a
// password beside no other factor; the upper only bounds the work.
const (
	MinLength = 8
	MaxLength = 256
)

const (
	saltLength = 16 // bytes, RFC 9106 §3.1
	hashLength = 32 // bytes
)

// ErrMalformed is a stored hash that this package did not write.
var ErrMalformed = errors.New("not an argon2id hash")

// Cost is what one hash costs.
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// DefaultCost is the second choice of the OWASP password storage sheet for
// argon2id: 19 MiB, two passes, one lane; some 40 ms on a small computer.
func DefaultCost() Cost { return Cost{Memory: 19 * 1024, Passes: 2, Lanes: 1} }

func (c Cost) lawful() bool {
	return c.Memory >= 8 && c.Memory <= 1<<20 && c.Passes >= 1 && c.Passes <= 64 && c.Lanes >= 1 && c.Lanes <= 16
}

// Hash returns the hash of a password in the PHC string form, with a new salt.
func Hash(password string, cost Cost) (string, error) {
	if !cost.lawful() {
		return "", fmt.Errorf("hash a password: cost %+v is out of range", cost)
	}
	salt := make([]byte, saltLength)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return encode(cost, salt, derive(password, salt, cost, hashLength)), nil
}

// Matches reports whether the password is the one of the stored hash. It fails
// with ErrMalformed when the hash is not one.
func Matches(stored, password string) (bool, error) {
	cost, salt, want, err := decode(stored)
	if err != nil {
		return false, err
	}
	got := derive(password, salt, cost, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func derive(password string, salt []byte, cost Cost, length uint32) []byte {
	return argon2.IDKey([]byte(password), salt, cost.Passes, cost.Memory, cost.Lanes, length)
}

func encode(cost Cost, salt, hash []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, cost.Memory, cost.Passes, cost.Lanes, b64(salt), b64(hash))
}

func decode(stored string) (cost Cost, salt, hash []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return Cost{}, nil, nil, ErrMalformed
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Passes, &cost.Lanes); err != nil || !cost.lawful() {
		return Cost{}, nil, nil, ErrMalformed
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	hash, errHash := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errHash != nil || len(salt) < 8 || len(hash) < 16 || len(hash) > 64 {
		return Cost{}, nil, nil, ErrMalformed
	}
	return cost, salt, hash, nil
}

// Checker hashes and checks a few passwords at a time.
type Checker struct {
	cost  Cost
	slots chan struct{}
	decoy string // the hash of no password, for logins that do not exist
}

// NewChecker makes a checker that computes at most parallel hashes at once. A
// zero cost is DefaultCost.
func NewChecker(cost Cost, parallel int) (*Checker, error) {
	if cost == (Cost{}) {
		cost = DefaultCost()
	}
	nobody := make([]byte, 32)
	if _, err := rand.Read(nobody); err != nil {
		return nil, fmt.Errorf("make a decoy password: %w", err)
	}
	decoy, err := Hash(string(nobody), cost)
	if err != nil {
		return nil, err
	}
	return &Checker{cost: cost, slots: make(chan struct{}, max(parallel, 1)), decoy: decoy}, nil
}

// Hash is the function Hash at the checker's cost. It fails with the context's
// error when no slot becomes free in time.
func (c *Checker) Hash(ctx context.Context, password string) (string, error) {
	if err := c.enter(ctx); err != nil {
		return "", err
	}
	defer c.leave()
	return Hash(password, c.cost)
}

// Matches is the function Matches. An empty stored hash, of somebody who does
// not exist, takes as long as a real one and never matches.
func (c *Checker) Matches(ctx context.Context, stored, password string) (bool, error) {
	if err := c.enter(ctx); err != nil {
		return false, err
	}
	defer c.leave()
	if stored == "" {
		_, err := Matches(c.decoy, password)
		return false, err
	}
	return Matches(stored, password)
}

func (c *Checker) enter(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to compute a password hash: %w", ctx.Err())
	}
}

func (c *Checker) leave() { <-c.slots }
