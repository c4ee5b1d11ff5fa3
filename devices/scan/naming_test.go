package scan

import (
	"strconv"
	"testing"
	"time"

	"gengfu/devices/simulator"
	"gengfu/devices/sniff"
)

// One answer in twenty is late, cut or lost while devices are named.
func TestDevicesAreNamedThoughAnswersAreLost(t *testing.T) {
	t.Parallel()
	const turnaround = 60 * time.Millisecond // as slow as a busy machine may make the simulated device
	nine := Setting{Baud: 9600, Parity: "none", DataBits: 8, StopBits: 1}
	all, some := models(t, "tuf-2000", "eastron-sdm120", "chint-dtsu666", "qdy30a")
	for _, faults := range []string{"late 350ms 5%", "late 700ms 5%", "cut 3%, silent 2%, duplicate 1%"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			set, err := simulator.ParseFaults(faults)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range some {
				t.Run(p.ID, func(t *testing.T) {
					s := slave(t, p, strconv.Itoa(i+1))
					s.Seed(uint64(i + 1))
					w := &sweeping{Sweep: &Sweep{Profiles: all, Open: onPTY(t, nine, s)}}
					if err := w.turnTo(t.Context(), nine); err != nil {
						t.Fatal(err)
					}
					defer func() {
						if err := w.shut(); err != nil {
							t.Error(err)
						}
					}()
					s.SetFaults(set...)
					d := Device{Setting: nine, Protocol: sniff.ModbusRTU, Address: strconv.Itoa(i + 1), Turnaround: turnaround}
					got, err := w.nameModbus(t.Context(), d, i+1)
					if err != nil {
						t.Fatal(err)
					}
					if len(got) == 0 || got[0].Profile != p.ID {
						t.Errorf("it was taken for %+v", got[:min(2, len(got))])
					}
				})
			}
		})
	}
}
