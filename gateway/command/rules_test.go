package command

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"gengfu/rules/backtest"
)

func TestRulesCheck(t *testing.T) {
	site := siteWith(t, "127.0.0.1:1")
	r := run(t, "", "rules", "check", "--config", site)
	r.wants(t, done, "P2 pump-fault (fault)\n    2: pump-1, pump-2\n", "")
	r.wants(t, done, "rests: no device here has what it needs", "")
	r = run(t, "", "rules", "check", "--json", "--config", site)
	var said struct {
		Rules []struct {
			Rule    string
			Devices []string
			Lacking []struct {
				Device     string
				Quantities []string
			}
		}
	}
	if err := json.Unmarshal([]byte(r.out), &said); err != nil || r.code != done {
		t.Fatal(err, r)
	}
	found := map[string]int{}
	for _, rule := range said.Rules {
		found[rule.Rule] = len(rule.Devices)
		for _, l := range rule.Lacking {
			if len(l.Quantities) == 0 {
				t.Errorf("%s: %s lacks nothing", rule.Rule, l.Device)
			}
		}
	}
	if found["pump-fault"] != 2 || found["tank-low"] != 0 {
		t.Errorf("rules on devices: %v", found)
	}
}

func TestRulesTest(t *testing.T) {
	good := write(t, "good.yaml", `scenarios:
  - name: the tank runs empty
    rules: [tank-very-low]
    poll: 10s
    timeline:
      - {at: 0s, given: {tank/level: 2}}
      - {at: 1h, given: {tank/level: 0.5}}
      - {at: 2h, expect: [raise tank-very-low/tank at 1h10s]}
`)
	run(t, "", "rules", "test", good).wants(t, done, "1 scenarios, 0 failed", "")
	bad := write(t, "bad.yaml", `scenarios:
  - name: the tank runs empty
    rules: [tank-very-low]
    timeline:
      - {at: 0s, given: {tank/level: 0.5}}
      - at: 1m
        expect: []
`)
	r := run(t, "", "rules", "test", good, bad)
	r.wants(t, failed, "bad.yaml:7:17: scenarios[0].timeline[1].expect: Until 1m0s came what nobody expects: raise tank-very-low/tank at 10s.", "")
	r.wants(t, failed, "2 scenarios, 1 failed", "")
	run(t, "", "rules", "test", "--json", bad).wants(t, failed, `"line": 7,`, "")
	mistake := write(t, "mistake.yaml", "scenarios:\n  - nam: x\n")
	run(t, "", "rules", "test", mistake).wants(t, wrong, "", "mistake.yaml:2:5")
	// What is shipped holds on the command line as in the tests.
	for _, name := range []string{"pump-house", "meters"} {
		run(t, "", "rules", "test", filepath.Join("..", "..", "configs", "rules", "tests", name+".yaml")).wants(t, done, " 0 failed", "")
	}
}

// TestRulesBacktest: the past of pastOf has a fault for each second ten minutes.
func TestRulesBacktest(t *testing.T) {
	site, data := siteWith(t, "127.0.0.1:1"), pastOf(t, 7200)
	args := []string{"rules", "backtest", "--config", site, "--data", data, "--from", "2026-03-01T00:00:00Z", "--to", "2026-03-01T02:00:00Z"}
	simple := write(t, "simple.yaml", `rules:
  - {id: any-fault, name: {zh: 故障, en: fault}, priority: P2, for: {kinds: [pump], having: [fault]}, when: fault}
`)
	r := run(t, "", append(args, simple)...)
	r.wants(t, done, "order: new", "")
	r.wants(t, done, "6 alarms, 1 orders, 5 orders opened again, 6 times that people are told; 0 alarms stood at the beginning", "")
	r = run(t, "", append(args, "--json", simple)...)
	var result backtest.Result
	if err := json.Unmarshal([]byte(r.out), &result); err != nil || r.code != done {
		t.Fatal(err, r)
	}
	if result.Alarms != 6 || len(result.Occurrences) != 6 || result.Readings != 12 {
		t.Errorf("%+v", result)
	}
	if first := result.Occurrences[0]; first.Key != "any-fault/pump-1" || !first.From.Equal(historyStart.Add(600e9)) || !first.To.Equal(historyStart.Add(1200e9)) {
		t.Errorf("%+v", first)
	}
	run(t, "", append(args, "pump-falt")...).wants(t, failed, "", `did you mean "pump-fault"?`)
	run(t, "", append(args, "tank-low")...).wants(t, failed, "", "selects no device")
	broken := write(t, "broken.yaml", "rules:\n  - {id: x, name: {zh: 错, en: x}, priority: P2, when: falt}\n")
	run(t, "", append(args, broken)...).wants(t, wrong, "", `broken.yaml:2:`)
}
