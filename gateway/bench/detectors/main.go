// Command detectors measures the anomaly detectors on labelled series of others:
// each file goes through "gengfu detect" as it is, in one pass, and the data's own
// scorer gives the marks.
//
// The data is not part of this project. Its folder holds series, labels, water, elec
// and score/score_all.py; without it nothing is measured.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"gengfu/gateway/bench/figure"
	"gengfu/gateway/command"
	"gengfu/rules/detect"
)

func main() {
	data := flag.String("data", "", "folder of the labelled series")
	keep := flag.String("keep", "", "folder in which what the detectors said is kept; else it is removed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *data, *keep); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "detectors:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, data, results string) error {
	if _, err := os.Stat(filepath.Join(data, "score", "score_all.py")); data == "" || err != nil {
		return fmt.Errorf("no labelled series in %q: name their folder with -data", data)
	}
	if results == "" {
		dir, err := os.MkdirTemp("", "detectors")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		results = dir
	}
	files, err := detectAll(ctx, data, results)
	if err != nil {
		return err
	}
	m, err := score(ctx, data, results)
	if err != nil {
		return err
	}
	micros, err := paces(data)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d files, load %s\n\n", figure.Processor(), files, figure.Load())
	figures := figuresOf(m, micros)
	if err := figure.Table(os.Stdout, figures); err != nil {
		return err
	}
	fmt.Print("\n" + beside + "\n")
	return figure.Lines(os.Stdout, figures)
}

// families are the folders of the data, what their tables hold, and where the scorer
// looks for what was said of them.
var families = [...]struct {
	from string
	kind detect.Kind
	to   string
}{
	{"series/nab/*/*.csv", detect.Series, "nab"},
	{"series/skab/*/*.csv", detect.Device, "skab"},
	{"series/batadal/train_events.csv", detect.Device, "batadal"},
	{"water/series/*.csv", detect.WaterMeter, "water"},
	{"elec/series/*.csv", detect.ElectricityMeter, "elec"},
}

func detectAll(ctx context.Context, data, results string) (files int, err error) {
	for _, f := range families {
		paths, err := filepath.Glob(filepath.Join(data, filepath.FromSlash(f.from)))
		if err != nil || len(paths) == 0 {
			return 0, errors.Join(err, fmt.Errorf("no files %s in %s", f.from, data))
		}
		for _, path := range paths {
			out := filepath.Join(results, f.to, filepath.Base(path))
			if strings.Count(f.from, "*") > 1 { // the scorer wants the group too
				out = filepath.Join(results, f.to, filepath.Base(filepath.Dir(path)), filepath.Base(path))
			}
			if err := os.MkdirAll(filepath.Dir(out), 0o750); err != nil {
				return 0, err
			}
			args := []string{"detect", "--kind", string(f.kind), path, out}
			if code := command.Main(ctx, "bench", args, os.Stdin, os.Stdout, os.Stderr); code != 0 {
				return 0, fmt.Errorf("gengfu %s: exit status %d", strings.Join(args, " "), code)
			}
			files++
		}
	}
	return files, nil
}

// marks are what the scorer says.
type marks struct {
	NAB map[string]struct {
		Score     float64
		Threshold float64
		Windows   int
		Hit       int `json:"windows_hit"`
		Rows      int `json:"fp_rows"`
	}
	SKAB struct {
		F1       float64
		FAR      float64 `json:"FAR%"`
		MAR      float64 `json:"MAR%"`
		Balanced float64
	}
	BATADAL struct {
		S, TPR, TNR      float64
		Detected, Events int
	}
	Water, Elec meterMarks
}

type meterMarks struct {
	All struct {
		N        int
		Within24 float64 `json:"within_24h"`
		Within72 float64 `json:"within_72h"`
	}
	False float64 `json:"fa_per_meter_year"`
}

func score(ctx context.Context, data, results string) (m marks, err error) {
	cmd := exec.CommandContext(ctx, "python3", filepath.Join(data, "score", "score_all.py"), data, results, "--json") // the path is the user's
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("run the data's scorer: %w", err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("read what the scorer says: %w", err)
	}
	return m, nil
}

func figuresOf(m marks, micros map[detect.Kind]float64) []figure.Figure {
	standard, low := m.NAB["standard"], m.NAB["reward_low_FP_rate"]
	return []figure.Figure{
		figure.AtLeast("detect_nab_standard", standard.Score, "points", 60, 1, fmt.Sprintf("%d of %d windows, %d rows told in vain; best threshold %.2f", standard.Hit, standard.Windows, standard.Rows, standard.Threshold)),
		figure.AtLeast("detect_nab_low_fp", low.Score, "points", 48, 1, ""),
		figure.AtMost("detect_series_sample", micros[detect.Series], "us", 10, 2, "the detector alone"),
		figure.AtMost("detect_device_sample", micros[detect.Device], "us", 10, 2, "eight channels"),
		figure.AtMost("detect_water_sample", micros[detect.WaterMeter], "us", 10, 2, ""),
		figure.AtMost("detect_electricity_sample", micros[detect.ElectricityMeter], "us", 10, 2, ""),
		figure.AtLeast("detect_skab_balanced", m.SKAB.Balanced, "share", 0.82, 3, fmt.Sprintf("F1 %.2f, missed alarms %.1f %%", m.SKAB.F1, m.SKAB.MAR)),
		figure.AtMost("detect_skab_false_alarms", m.SKAB.FAR, "%", 17, 1, ""),
		figure.AtLeast("detect_batadal_s", m.BATADAL.S, "points", 0.93, 3, fmt.Sprintf("true-positive rate %.3f", m.BATADAL.TPR)),
		figure.AtLeast("detect_batadal_events", float64(m.BATADAL.Detected), "events", float64(m.BATADAL.Events), 0, ""),
		figure.AtLeast("detect_batadal_true_negatives", m.BATADAL.TNR, "share", 0.97, 3, ""),
		figure.AtLeast("detect_water_72h", 100*m.Water.All.Within72, "%", 90, 1, fmt.Sprintf("of %d events", m.Water.All.N)),
		figure.AtLeast("detect_water_24h", 100*m.Water.All.Within24, "%", 45, 1, ""),
		figure.AtMost("detect_water_false_alarms", m.Water.False, "/meter-year", 1, 2, ""),
		figure.AtLeast("detect_electricity_72h", 100*m.Elec.All.Within72, "%", 60, 1, fmt.Sprintf("of %d events; %.1f %% within 24 h", m.Elec.All.N, 100*m.Elec.All.Within24)),
		figure.AtMost("detect_electricity_false_alarms", m.Elec.False, "/meter-year", 6, 2, ""),
	}
}

// beside is what others reach, by the data's README: published, or their own results
// on the series of the same kinds that are kept apart.
const beside = `What others reach on series of the same kinds:
  NAB standard / low-FP, without looking ahead: Skyline 60.0/47.6, KNN CAD 59.9/45.9, windowed Gaussian 37.0/16.1
  ... knowing the file's minimum and maximum beforehand: CAD OSE 72.1/69.5, ARTime 71.5/61.6, HTM 66.9/59.5
  SKAB balanced: Conv-AE .793 (F1 .79 at 17 % false alarms), online T2+Q .745 (.77 at 29 %)
  BATADAL S: .970 with the hydraulic model, .949, .927; online forecasts .894
  water within 72 h / 24 h, false alarms per meter-year: "no dry hour in 24 h" 69 % / 47 % / 1.98; night-flow rule 29 % / 21 % / 0.60
  electricity within 72 h, false alarms per meter-year: hour-of-week profile with CUSUM 45 % / 5.3
`

// paces are the times of the detectors for one sample, in microseconds: of each kind
// the best of five runs over all files of its first family.
func paces(data string) (map[detect.Kind]float64, error) {
	runtime.LockOSThread()
	best := map[detect.Kind]float64{}
	for _, f := range families {
		if best[f.kind] > 0 {
			continue
		}
		paths, err := filepath.Glob(filepath.Join(data, filepath.FromSlash(f.from)))
		if err != nil {
			return nil, err
		}
		for range 5 {
			each, err := paceOnce(f.kind, paths)
			if err != nil {
				return nil, err
			}
			if best[f.kind] == 0 || each < best[f.kind] {
				best[f.kind] = each
			}
		}
	}
	return best, nil
}
