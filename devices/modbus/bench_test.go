package modbus

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// BenchmarkPTY reads over a paced pty and reports the median share of what the
// wire allows: both frames and 3.5 characters of silence before each.
func BenchmarkPTY(b *testing.B) {
	for _, n := range []int{2, 10, 60} {
		b.Run(fmt.Sprintf("9600/%d", n), func(b *testing.B) {
			p, err := simulator.OpenPTY("")
			if err != nil {
				b.Fatal(err)
			}
			s, err := simulator.NewSlave(profile.Profile{}, 1)
			if err != nil {
				b.Fatal(err)
			}
			s.SetWords(profile.Holding, 0, make([]uint16, n)...)
			wire := bus.Wire{Character: line.Serial{}.Character()}
			far, err := simulator.NewBus(p, simulator.Wire{Baud: 9600, Turnaround: wire.Silence()}, s)
			if err != nil {
				b.Fatal(err)
			}
			defer far.Close() //nolint:errcheck // nothing more is read
			conn, err := line.OpenSerial(b.Context(), line.Serial{Port: p.Path()})
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // nothing more is read
			shared := bus.New(bus.Options{Wire: wire})
			shared.Attach(conn)
			m := NewMaster(Options{Bus: shared, Timeout: 5 * time.Second})
			r := Request{1, profile.Holding, 0, uint16(n)}
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := m.Read(b.Context(), r, Timing{}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			limit := wire.Of(13+2*n) + 2*wire.Silence()
			b.ReportMetric(100*float64(limit)/float64(took[len(took)/2]), "%wire")
		})
	}
}
