package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestShippedPumpRules(t *testing.T) {
	toggled := func(id string, half time.Duration, from, until time.Duration) func(time.Duration) string {
		return func(at time.Duration) string {
			if at >= from && at < until && (at-from)/half%2 == 0 {
				return id + "=1"
			}
			return id + "=0"
		}
	}
	const others = " pump-2/running=0 pump-3/running=0"
	const lead = "pump-1/running=1 pump-1/duty=1 pump-1/frequency=44 main-water/flow="
	tellAll(t, []string{"pumps.yaml"}, []story{
		{
			"the lead fails and nothing starts", eachStep(10*time.Second, 0, 5*minute, is("pump-1/fault=0 pump-1/running=1"+others, "pump-1/fault=1 pump-1/running=0"+others, minute, 2*minute)),
			[]string{"1m10s raise standby-did-not-start/pump-1 unacknowledged", "2m5s clear standby-did-not-start/pump-1 returned"},
		},
		{"the lead fails and the standby starts", eachStep(10*time.Second, 0, 5*minute, is("pump-1/fault=0 pump-1/running=1"+others, "pump-1/fault=1 pump-1/running=0 pump-2/running=1 pump-3/running=0", minute, 4*minute)), nil},
		{
			"a pump runs on an empty tank", eachStep(5*time.Second, 0, 5*minute, is("pump-1/running=1 tank/level=2", "pump-1/running=1 tank/level=0.2", minute, 2*minute)),
			[]string{"1m10s raise tank-very-low/tank unacknowledged", "1m10s raise pump-suction-empty/pump-1 unacknowledged", "2m10s clear pump-suction-empty/pump-1 returned", "3m0s clear tank-very-low/tank returned"},
		},
		{
			"a valve is shut behind the pump", eachStep(10*time.Second, 0, 10*minute, is(lead+"5", lead+"0.02", 2*minute, 7*minute)),
			[]string{"5m0s raise running-without-flow/pump-1 unacknowledged", "7m30s clear running-without-flow/pump-1 returned"},
		},
		{"nobody draws much at night", steady(10*time.Second, 0, 10*minute, lead+"0.3"), nil},
		{"a pump cycles", eachStep(10*time.Second, 0, hour, toggled("pump-1/running", 30*time.Second, 15*minute, 25*minute)), []string{"18m0s raise pump-short-cycles/pump-1 unacknowledged", "33m10s clear pump-short-cycles/pump-1 returned"}},
		{"a pump starts three times in ten minutes", eachStep(10*time.Second, 0, hour, toggled("pump-1/running", 100*time.Second, 15*minute, 25*minute)), nil},
		{"a pump that does not count its starts", eachStep(15*time.Second, 0, 4*hour, toggled("booster/running", 105*time.Second, 75*minute, 3*hour)), []string{"2h7m30s raise pump-starts-seen/booster unacknowledged", "3h33m0s clear pump-starts-seen/booster returned"}},
		{
			"one pump does all the work",
			eachStep(10*minute, 0, 24*day, together(
				grows("pump-1/run_hours", 10*minute, 1./3, 1, 8*day, 13*day), grows("pump-2/run_hours", 10*minute, 1./3, 0, 8*day, 13*day), grows("pump-3/run_hours", 10*minute, 1./3, 0, 8*day, 13*day))),
			[]string{"264h0m0s raise pump-hours-uneven/pump-1 unacknowledged", "432h0m0s clear pump-hours-uneven/pump-1 returned"},
		},
		{
			"a booster leaves its band", joined(steady(5*time.Second, 0, minute, "booster/running=1 booster/setpoint=4 booster/pressure=4 booster/overpressure=0"),
				steady(5*time.Second, minute, 2*minute, "booster/pressure=2.9"), steady(5*time.Second, 2*minute, 3*minute, "booster/pressure=4"),
				steady(5*time.Second, 3*minute, 4*minute, "booster/pressure=5.2"), steady(5*time.Second, 4*minute, 6*minute, "booster/pressure=4")),
			[]string{
				"1m15s raise booster-pressure-low/booster unacknowledged", "2m30s clear booster-pressure-low/booster returned",
				"3m15s raise booster-pressure-high/booster unacknowledged", "4m30s clear booster-pressure-high/booster returned",
			},
		},
		{
			"a riser leaves its band", joined(steady(5*time.Second, 0, minute, "riser/pressure=300"), steady(5*time.Second, minute, 2*minute, "riser/pressure=140"), steady(5*time.Second, 2*minute, 3*minute, "riser/pressure=300"),
				steady(5*time.Second, 3*minute, 4*minute, "riser/pressure=620"), steady(5*time.Second, 4*minute, 6*minute, "riser/pressure=500")),
			[]string{
				"1m15s raise pressure-low/riser unacknowledged", "2m30s clear pressure-low/riser returned",
				"3m15s raise pressure-high/riser unacknowledged", "4m30s clear pressure-high/riser returned",
			},
		},
		{
			"the sump is high and its pump stands", eachStep(10*time.Second, 0, 5*minute, is("sump-inputs/sump_high=0 sump-inputs/sump_pump_running=0", "sump-inputs/sump_high=1 sump-inputs/sump_pump_running=0", minute, 2*minute)),
			[]string{"1m30s raise sump-not-pumped/sump-inputs unacknowledged", "2m30s clear sump-not-pumped/sump-inputs returned"},
		},
		{"the sump is high and is pumped", eachStep(10*time.Second, 0, 5*minute, is("sump-inputs/sump_high=0 sump-inputs/sump_pump_running=0", "sump-inputs/sump_high=1 sump-inputs/sump_pump_running=1", minute, 4*minute)), nil},
		{
			"the sump rises and its pump stands", eachStep(30*time.Second, 0, 40*minute, together(
				func(at time.Duration) string { return fmt.Sprintf("sump/level=%.3f", 0.5+0.02*at.Minutes()) },
				is("sump-inputs/sump_pump_running=0", "sump-inputs/sump_pump_running=1", 30*minute, 40*minute))),
			[]string{"16m0s raise sump-rising/sump unacknowledged", "30m30s clear sump-rising/sump returned"},
		},
	})
}

// TestShippedRulesOfPumpHousesAndMeters tells of each rule that it raises and clears;
// TestShippedRulesJudge has more of them.
func TestShippedRulesOfPumpHousesAndMeters(t *testing.T) {
	const sound = "pump-1/running=1 pump-1/fault=0 pump-1/dry_run=0 pump-1/overpressure=0 pump-1/sensor_fault=0 pump-1/duty=1 pump-1/mode=2 pump-1/setpoint=4 pump-1/outlet_pressure=4"
	var stories []story
	// One quantity goes wrong from the first minute on, until a time.
	simple := func(rule, device, right, wrong string, raised, until, cleared time.Duration) {
		right, wrong = device+"/"+right, device+"/"+wrong
		if strings.HasPrefix(wrong, "pump-1/") {
			quantity, _, _ := strings.Cut(wrong, "=")
			words := strings.Fields(sound)
			for i, w := range words {
				if strings.HasPrefix(w, quantity+"=") {
					words[i] = wrong
				}
			}
			right, wrong = sound, strings.Join(words, " ")
		}
		stories = append(stories, story{
			rule, eachStep(5*time.Second, 0, cleared+minute, is(right, wrong, minute, until)),
			[]string{fmt.Sprintf("%s raise %s/%s unacknowledged", raised, rule, device), fmt.Sprintf("%s clear %s/%s returned", cleared, rule, device)},
		})
	}
	const s = time.Second
	simple("pump-fault", "pump-1", "", "fault=1", minute, 2*minute, 2*minute+3*s)
	simple("pump-fault-simple", "simple-pump", "fault=0", "fault=1", minute, 2*minute, 2*minute+3*s)
	simple("drive-fault", "drive-2", "fault=0", "fault=1", minute, 2*minute, 2*minute+3*s)
	simple("drive-fault-code", "drive-1", "fault_code=0", "fault_code=7", minute, 2*minute, 2*minute+3*s)
	simple("pump-dry-run", "pump-1", "", "dry_run=1", minute, 2*minute, 2*minute+10*s)
	simple("pump-sensor-fault", "pump-1", "", "sensor_fault=1", minute+5*s, 2*minute, 2*minute+10*s)
	simple("outlet-pressure-low", "pump-1", "", "outlet_pressure=2.9", minute+15*s, 2*minute, 2*minute+30*s)
	simple("outlet-pressure-high", "pump-1", "", "outlet_pressure=5.1", minute+15*s, 2*minute, 2*minute+30*s)
	simple("running-without-pressure", "pump-1", "", "outlet_pressure=0.2", minute+30*s, 2*minute, 2*minute+5*s)
	simple("pump-not-automatic", "pump-1", "", "mode=1", 31*minute, 40*minute, 40*minute)
	simple("tank-very-high", "tank", "level=2.3", "level=2.9", minute+10*s, minute+30*s, 2*minute+30*s)
	simple("tank-high", "tank", "level=2.3", "level=2.8", 2*minute, 3*minute, 4*minute)
	simple("tank-low", "tank", "level=2.3", "level=1.4", 2*minute, 3*minute, 4*minute)
	simple("tank-very-low", "tank", "level=2.3", "level=0.7", minute+10*s, minute+30*s, 2*minute+30*s)
	const room = "pump-room-inputs"
	simple("tank-overflow", room, "tank_overflow=0", "tank_overflow=1", minute+5*s, 2*minute, 2*minute+30*s)
	simple("tank-empty", room, "tank_empty=0", "tank_empty=1", minute+5*s, 2*minute, 2*minute+30*s)
	simple("floor-water", room, "floor_water=0", "floor_water=1", minute+2*s, 2*minute, 2*minute+30*s)
	simple("sump-high", room, "floor_water=0 pump-room-inputs/sump_high=0", "floor_water=0 pump-room-inputs/sump_high=1", minute+10*s, 2*minute, 2*minute+30*s)
	simple("cabinet-power-loss", room, "power_loss=0", "power_loss=1", minute+5*s, 2*minute, 2*minute+10*s)
	simple("smoke", room, "smoke=0", "smoke=1", minute, 2*minute, 2*minute+10*s)
	simple("door-open", room, "door_open=0", "door_open=1", 16*minute, 20*minute, 20*minute)
	simple("device-offline", "tank", "online=1", "online=0", minute+30*s, 2*minute, 2*minute+10*s)
	simple("water-burst", "main-water", "flow=7", "flow=25", 2*minute, 3*minute, 8*minute)
	simple("water-burst-pipe", "garden-water", "flow=6.7", "flow=9.1", 2*minute, 3*minute, 8*minute)
	simple("voltage-high", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=236", 2*minute, 3*minute, 4*minute)
	simple("voltage-low", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=197", 2*minute, 3*minute, 4*minute)
	simple("phase-loss", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=20", minute+10*s, 2*minute, 2*minute+30*s)
	simple("mains-lost", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=2 main-power/voltage_l2=0 main-power/voltage_l3=3", minute+10*s, 2*minute, 2*minute+30*s)
	stories = append(stories,
		story{"pump-starts-often", eachStep(5*minute, 0, 5*hour, grows("pump-1/starts", 5*minute, 6, 20, hour, 3*hour)), []string{"1h35m0s raise pump-starts-often/pump-1 unacknowledged", "3h50m0s clear pump-starts-often/pump-1 returned"}},
		story{"water-high-use", eachStep(minute, 0, 4*hour, grows("flat-water/total", minute, 7, 24, hour, 2*hour)), []string{"1h22m0s raise water-high-use/flat-water unacknowledged", "2h12m0s clear water-high-use/flat-water returned"}},
		story{"water-high-use-pipe", eachStep(minute, 0, 4*hour, grows("garden-water/total", minute, 2, 8, hour, 2*hour)), []string{"1h12m0s raise water-high-use-pipe/garden-water unacknowledged", "2h23m0s clear water-high-use-pipe/garden-water returned"}},
		story{"water-night-flow", eachStep(minute, 12*hour, 20*hour, is("water-a/flow=1", "water-a/flow=4", 13*hour, 15*hour)), []string{"14h30m0s raise water-night-flow/water-a unacknowledged", "15h15m0s clear water-night-flow/water-a returned"}},
	)
	tellAll(t, []string{"pump-house.yaml", "meters.yaml", "devices.yaml"}, stories)
}
