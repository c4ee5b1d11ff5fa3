package scan

import (
	"slices"
	"testing"
	"time"

	"gengfu/devices/sniff"
)

func TestThePlanBeginsWithWhatIsLikely(t *testing.T) {
	plan := Plan(Options{})
	first := plan[0]
	if first.Setting.String() != "9600 8N1" || first.Protocol != sniff.ModbusRTU || first.Address != 1 {
		t.Errorf("it begins with %+v", first)
	}
	settings := Settings(Options{})
	if settings[2].String() != "2400 8E1" || len(settings) != 7*5 {
		t.Errorf("settings %v", settings)
	}
	seen := map[Step]bool{}
	rest := false
	for _, s := range plan {
		if seen[s] {
			t.Fatalf("%+v stands twice", s)
		}
		seen[s] = true
		if rest && !s.Rest {
			t.Fatalf("%+v comes after the rest has begun", s)
		}
		rest = rest || s.Rest
	}
	for a := 1; a <= 247; a++ {
		if !slices.ContainsFunc(plan, func(s Step) bool {
			return s.Address == a && s.Protocol == sniff.ModbusRTU && s.Setting.String() == "19200 8E1"
		}) {
			t.Errorf("address %d is not tried at 19200 8E1", a)
		}
	}
}

func TestThePlanIsNarrowed(t *testing.T) {
	odd := Setting{Baud: 1200, Parity: "odd", DataBits: 8, StopBits: 1}
	for _, test := range []struct {
		name  string
		o     Options
		steps int
		first string
	}{
		{"one of everything", Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{5}}, 1, "9600 8N1"},
		{"asked twice", Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{5}, Thorough: true}, 2, "9600 8N1"},
		{"all addresses", Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}}, 247, "9600 8N1"},
		{"with meters", Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Addresses: []int{5}}, 4, "9600 8N1"},
		{"as it is configured first", Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Addresses: []int{5}, First: &odd}, 2, "1200 8O1"},
		{"a socket", Options{Socket: true, Protocols: []sniff.Protocol{sniff.ModbusTCP, sniff.ModbusRTU}, Addresses: []int{1, 2}}, 4, "as it is"},
		{"ASCII only", Options{Bauds: []int{9600}, Protocols: []sniff.Protocol{sniff.ModbusASCII}, Addresses: []int{1}}, 5, "9600 8N1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := Plan(test.o)
			if len(plan) != test.steps || plan[0].Setting.String() != test.first {
				t.Errorf("%d steps, the first at %s; want %d at %s: %+v", len(plan), plan[0].Setting, test.steps, test.first, plan)
			}
		})
	}
}

func TestTheEstimateIsThatOfSilence(t *testing.T) {
	plan := Plan(Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}})
	if d := Estimate(plan); d < 28*time.Second || d > 32*time.Second {
		t.Errorf("247 silent addresses at 9600 are to take %v; 247 times 100 ms, 15 characters and the silence between are 30 s", d)
	}
	quick := Plan(Options{Bauds: []int{9600}, Framings: []string{"8N1"}, Protocols: []sniff.Protocol{sniff.ModbusRTU}, Patience: 40 * time.Millisecond})
	if Estimate(quick) > 16*time.Second {
		t.Errorf("with a patience of 40 ms it is to take %v", Estimate(quick))
	}
}
