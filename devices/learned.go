package devices

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"gengfu/devices/modbus"
	"gengfu/devices/profile"
)

// Memory keeps what devices have taught over a restart. It is called from the
// goroutines of all lines.
type Memory interface {
	// Recall returns what was kept of the device, false when nothing was.
	Recall(device string) (Learned, bool)
	// Keep replaces what is kept of the device. It may be written later.
	Keep(device string, l Learned)
}

// Learned is what a device has taught by its refusals and answers.
type Learned struct {
	Model string       `json:"model"`           // the points that it was learned with; it is of no use with others
	Cuts  []modbus.Cut `json:"cuts,omitempty"`  // addresses that no request of Modbus may span
	Order string       `json:"order,omitempty"` // of a CJ/T 188 identifier's bytes: high-first or low-first
}

// fingerprint tells the points and limits of a model from others.
func fingerprint(p profile.Profile) string {
	b, err := json.Marshal(struct {
		Protocol profile.Protocol
		Dialect  *profile.Dialect
		Limits   profile.Limits
		Points   []profile.Point
	}{p.Language(), p.CJT188, p.Limits, p.Points})
	if err != nil {
		return "" // there is nothing in a profile that JSON cannot say
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

func (l Learned) empty() bool { return l.Order == "" && len(l.Cuts) == 0 }

func (l Learned) equal(m Learned) bool {
	return l.Model == m.Model && l.Order == m.Order && slices.Equal(l.Cuts, m.Cuts)
}

func compareText[T ~string](a, b T) int { return cmp.Compare(a, b) }
