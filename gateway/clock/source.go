package clock

import "time"

// Reading is what the clocks of the machine show at one instant.
type Reading struct {
	Boot string        // names the boot that Up counts from: letters and digits
	Up   time.Duration // since the boot, also while suspended; it never steps
	Wall time.Time     // what the machine takes for the time
	// Synced is whether a time service keeps Wall by its own word (adjtimex without
	// STA_UNSYNC). A step of the clock takes it away until the service gives it again.
	Synced bool
}

// Source reads the clocks. It is called often, by several goroutines.
type Source interface{ Read() Reading }

var _ Source = (*Machine)(nil)
