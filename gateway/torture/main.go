// Command torture breaks a gateway in every way that it knows, again and again, and
// compares after each round every fact that was made with what arrived.
//
// A world is an edge, a hub, a broker and a history: real processes, with a proxy in
// each way between them. The edge is wired as the daemon wires it, with numbered
// facts in place of a field, so that everything is known of a fact by its number. In
// a round the edge makes facts while afflictions come and go; then all is made good,
// and when nothing is under way any more the history and the ledger must hold each
// fact that was durable exactly once, with every bit of it, and each occurrence of
// the fault must be counted once.
//
// It ends with one line for each figure:
//
//	figure NAME VALUE UNIT <=|>= REACH ok|short
//
// The exit status is 1 when a fact was lost, doubled or changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // as the gateway

	"gengfu/gateway/command"
)

// roleVariable makes this program one of the parts that it starts.
const roleVariable = "GENGFU_TORTURE_ROLE"

func main() {
	if code, was := asPart(); was {
		os.Exit(code)
	}
	var p plan
	binary := flag.String("gengfu", "", "the `program` to torture; empty is the same one built into this")
	flag.IntVar(&p.rounds, "rounds", 1000, "how many rounds")
	flag.IntVar(&p.perWorld, "per-world", 20, "how many of them in one world")
	flag.IntVar(&p.parallel, "parallel", 6, "worlds at a time; they mostly wait")
	flag.DurationVar(&p.span, "span", 2*time.Second, "how long faults go on in a round")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "what is drawn")
	flag.StringVar(&p.only, "only", "", "part of the name of the faults to use")
	flag.BoolVar(&p.slow, "slow", false, "also what takes a minute to be noticed")
	flag.StringVar(&p.report, "report", "", "`file` for a report of all rounds, in JSON")
	flag.StringVar(&p.keep, "keep", os.TempDir(), "`folder` for what is left of worlds that failed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	programs, err := findPrograms(*binary)
	if err == nil {
		err = torture(ctx, programs, p, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// asPart is the edge or the gateway, where the environment says so.
func asPart() (code int, was bool) {
	switch os.Getenv(roleVariable) {
	case "edge":
		signal.Ignore(os.Interrupt) // its input's end stops it
		if err := runEdge(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, "edge:", err)
			return 1, true
		}
		return 0, true
	case "gateway":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return command.Main(ctx, "torture", os.Args[1:], os.Stdin, os.Stdout, os.Stderr), true
	}
	return 0, false
}

// findPrograms finds what worlds are made of. Mosquitto and influxd may be missing.
func findPrograms(binary string) (p programs, err error) {
	if p.self, err = os.Executable(); err != nil {
		return p, err
	}
	p.selfEnv = []string{roleVariable + "=edge"}
	p.gengfu = binary
	if binary == "" {
		p.gengfu, p.gengfuEnv = p.self, []string{roleVariable + "=gateway"}
	}
	p.mosquitto = lookFor("mosquitto", "/usr/sbin")
	goPath, err := exec.Command("go", "env", "GOPATH").Output()
	if err != nil {
		goPath = nil
	}
	p.influxd = lookFor("influxd", filepath.Join(strings.TrimSpace(string(goPath)), "bin"))
	return p, nil
}

func lookFor(name, folder string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
