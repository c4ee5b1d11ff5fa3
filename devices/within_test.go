package devices

import (
	"log/slog"
	"testing"
	"time"

	"gengfu/devices/profile"
)

// A probe is short, and yet long enough for what the device is known to take and for
// what lies between.
func TestAProbeWaitsLongEnough(t *testing.T) {
	serial := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: "/dev/null"}}
	server := LineConfig{ID: "bus", Protocol: ModbusRTU, TCP: &TCPConfig{Address: "127.0.0.1:1"}}
	for name, c := range map[string]struct {
		line    LineConfig
		took    []time.Duration // by its replies so far
		timeout time.Duration
	}{
		"nothing is known":                       {serial, nil, 80 * time.Millisecond},
		"nothing is known behind a server":       {server, nil, 300 * time.Millisecond},
		"quick":                                  {serial, []time.Duration{5 * time.Millisecond}, 80 * time.Millisecond},
		"slow":                                   {serial, []time.Duration{100 * time.Millisecond, 100 * time.Millisecond}, 200 * time.Millisecond},
		"quick, and slow once not long ago":      {serial, append(make([]time.Duration, 14), 400*time.Millisecond), 600 * time.Millisecond},
		"as slow as its timeout allows":          {serial, []time.Duration{900 * time.Millisecond}, time.Second},
		"slow once, and that is long ago":        {serial, append([]time.Duration{400 * time.Millisecond}, make([]time.Duration, 64)...), 80 * time.Millisecond},
		"slow behind a server, within its usual": {server, []time.Duration{120 * time.Millisecond}, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			l := newBusLine(c.line, []DeviceConfig{device("a", "bus", 1)}, map[string]profile.Profile{"pump": pump()}, Options{
				Sink: newMemory(), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
			}, nil)
			d := l.devices[0]
			for _, took := range c.took {
				d.timing.Pace.Observe(took)
			}
			if got := l.within(d, time.Millisecond, d.plan([]int{0})).Timeout; got != c.timeout {
				t.Errorf("it is waited for %v, want %v", got, c.timeout)
			}
			if got := l.within(d, 0, d.plan([]int{0})).Timeout; got != d.timing.Timeout {
				t.Errorf("without a limit it is waited for %v", got)
			}
		})
	}
}
