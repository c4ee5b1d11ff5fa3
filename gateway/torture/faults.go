package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// affliction is something bad that begins and ends.
type affliction struct {
	name   string
	weight int  // how often it is drawn, among all
	alone  bool // its accounts are exact only when nothing else happens
	slow   bool // it takes a minute to be noticed
	fits   func(w *world) bool
	begin  func(ctx context.Context, w *world) error
	end    func(ctx context.Context, w *world) error
}

func always(*world) bool                          { return true }
func withMosquitto(w *world) bool                 { return w.Mosquitto }
func withInflux(w *world) bool                    { return w.InfluxDB }
func restart(ctx context.Context, w *world) error { return w.restart(ctx) }

func nothing(context.Context, *world) error {
	return nil
}

// brokerWays does something to both ways to the broker.
func (w *world) brokerWays(do func(p *proxy)) {
	do(w.toBroker)
	do(w.hubToBroker)
}

func killing(name string, weight int, fits func(*world) bool, which func(w *world) *process) affliction {
	return affliction{
		name: "kill " + name, weight: weight, fits: fits,
		begin: func(_ context.Context, w *world) error {
			if p := which(w); !down(p) {
				p.kill()
			}
			return nil
		},
		end: restart,
	}
}

func freezing(name string, fits func(*world) bool, which func(w *world) *process) affliction {
	return affliction{
		name: "freeze " + name, weight: 1, fits: fits,
		begin: func(_ context.Context, w *world) error {
			if p := which(w); !down(p) {
				return freeze(p)
			}
			return nil
		},
		end: func(_ context.Context, w *world) error {
			if p := which(w); !down(p) {
				return thaw(p)
			}
			return nil
		},
	}
}

// harming makes the ways to the broker bad for a time.
func harming(name string, weight int, h harm) affliction {
	return affliction{
		name: name, weight: weight, fits: always,
		begin: func(_ context.Context, w *world) error {
			w.brokerWays(func(p *proxy) { p.be(h) })
			return nil
		},
		end: func(_ context.Context, w *world) error {
			w.brokerWays(func(p *proxy) { p.be(harm{}) })
			return nil
		},
	}
}

func harmingInflux(name string, h harm) affliction {
	return affliction{
		name: name, weight: 2, fits: withInflux,
		begin: func(_ context.Context, w *world) error { w.toInflux.be(h); return nil },
		end: func(_ context.Context, w *world) error {
			if h.silent {
				w.toInflux.cutAll()
			}
			w.toInflux.be(harm{})
			return nil
		},
	}
}

func filling(folder string, weight int, owner func(*world) *process) affliction {
	path := func(w *world) string { return filepath.Join(w.dir, folder) }
	return affliction{
		name: "disk of " + folder + " full", weight: weight,
		fits:  func(w *world) bool { return w.disks[folder] && owner(w) != nil },
		begin: func(_ context.Context, w *world) error { return fillDisk(path(w)) },
		end:   func(_ context.Context, w *world) error { return freeDisk(path(w)) },
	}
}

// fillingInflux is a full disk of InfluxDB. influxd 1.8 leaves half an entry in its
// write-ahead log and takes nothing more until it is restarted, whatever room there
// is. Then it cuts the half away but writes behind where it was, and loses all of that
// at its next start. So it is started twice before it may be written to.
func fillingInflux() affliction {
	a := filling("influx", 1, (*world).theInflux)
	free := a.end
	a.end = func(ctx context.Context, w *world) error {
		w.toInflux.be(harm{refuse: true})
		err := free(ctx, w)
		for range 2 {
			if !down(w.influx) {
				w.influx.kill()
			}
			err = errors.Join(err, w.restart(ctx))
		}
		w.toInflux.be(harm{})
		return err
	}
	return a
}

// startingFull starts the hub on a disk that is full, where it must work.
func startingFull() affliction {
	path := func(w *world) string { return filepath.Join(w.dir, "hub") }
	return affliction{
		name: "start of hub on a full disk", weight: 2, fits: func(w *world) bool { return w.disks["hub"] },
		begin: func(ctx context.Context, w *world) error {
			if !w.hasReserve() { // it was full a moment ago
				return nil
			}
			if err := fillDisk(path(w)); err != nil {
				return err
			}
			if w.random.IntN(2) == 0 && !down(w.hub) {
				w.hub.kill()
			} else if err := stop(w.hub); err != nil {
				return err
			}
			if err := w.restart(ctx); err != nil {
				return err
			}
			if err := w.serves(ctx); err != nil {
				return fmt.Errorf("the hub does not start on a full disk: %w", err)
			}
			return nil
		},
		end: func(_ context.Context, w *world) error { return freeDisk(path(w)) },
	}
}

// outages is a series of short ones, each with a backlog of its own, and deaths among
// them: more than a journal may be parted into.
func outages() affliction {
	const times, readings = 12, 6_000
	return affliction{
		name: "many outages", weight: 1, fits: always,
		begin: func(ctx context.Context, w *world) error {
			for range times {
				w.brokerWays(func(p *proxy) { p.be(harm{refuse: true}) })
				if err := w.tellEdge(fmt.Sprint("burst ", readings)); err != nil {
					return err
				}
				pause(ctx, 100*time.Millisecond)
				if w.random.IntN(2) == 0 && !down(w.edge) {
					w.edge.kill()
				}
				w.brokerWays(func(p *proxy) { p.be(harm{}) })
				if err := w.restart(ctx); err != nil {
					return err
				}
				pause(ctx, time.Duration(w.random.IntN(200))*time.Millisecond)
			}
			return nil
		},
		end: nothing,
	}
}

func (w *world) theEdge() *process   { return w.edge }
func (w *world) theHub() *process    { return w.hub }
func (w *world) theBroker() *process { return w.broker }
func (w *world) theInflux() *process { return w.influx }

// afflictions are all that is known.
func afflictions() []affliction {
	half := affliction{
		name: "half-open", weight: 1, slow: true, fits: always, end: nothing,
		begin: func(_ context.Context, w *world) error { w.brokerWays((*proxy).deafen); return nil },
	}
	return []affliction{
		killing("edge", 8, always, (*world).theEdge),
		killing("hub", 8, always, (*world).theHub),
		killing("Mosquitto", 6, withMosquitto, (*world).theBroker),
		killing("influxd", 1, withInflux, (*world).theInflux),
		freezing("edge", always, (*world).theEdge),
		freezing("hub", always, (*world).theHub),
		freezing("Mosquitto", withMosquitto, (*world).theBroker),
		freezing("influxd", withInflux, (*world).theInflux),
		{name: "stop edge", weight: 2, fits: always, end: restart, begin: func(_ context.Context, w *world) error { return stop(w.edge) }},
		{name: "stop hub", weight: 2, fits: always, end: restart, begin: func(_ context.Context, w *world) error { return stop(w.hub) }},
		half,
		harming("broker unreachable", 4, harm{refuse: true}),
		harming("delays", 4, harm{delay: 300 * time.Millisecond}),
		harming("cuts", 4, harm{cut: 0.05}),
		harming("duplicated bytes", 3, harm{duplicate: 0.05}),
		harming("corrupted bytes", 4, harm{corrupt: 0.05}),
		harmingInflux("InfluxDB unreachable", harm{refuse: true}),
		harmingInflux("InfluxDB hangs", harm{silent: true}),
		harmingInflux("InfluxDB is slow", harm{delay: time.Second}),
		harmingInflux("cuts before InfluxDB", harm{cut: 0.2}),
		filling("edge", 3, (*world).theEdge),
		filling("hub", 3, (*world).theHub),
		fillingInflux(),
		startingFull(),
		outages(),
		backlog("backlog", 20_000, 3, false),
		backlog("backlog of 72 h", 72*360*20, 1, true), // of 20 points, read every 10 s
		readOnlyEdge(),
		evicting(),
		damaging("edge", "edge-urgent.db", "edge-telemetry.db"),
		damaging("hub", "hub-journal.db"),
		oldCopy(),
	}
}

const patience = 30 * time.Second

// stop ends a process cleanly, which may be frozen.
func stop(p *process) error {
	if down(p) {
		return nil
	}
	_ = thaw(p) // it may have ended meanwhile
	return p.stop(patience)
}

// backlog makes much while there is no way to the hub.
func backlog(name string, readings, weight int, slow bool) affliction {
	f := harming(name, weight, harm{refuse: true})
	f.slow = slow
	begin := f.begin
	f.begin = func(ctx context.Context, w *world) error {
		return errors.Join(begin(ctx, w), w.tellEdge(fmt.Sprint("burst ", readings)))
	}
	return f
}

// readOnlyEdge starts an edge on a disk that can only be read, and gives the disk
// back while it works or, now and then, after a kill.
func readOnlyEdge() affliction {
	path := func(w *world) string { return filepath.Join(w.dir, "edge") }
	lock := func(w *world, locked bool) error {
		if err := lockDisk(path(w), locked); err != nil {
			return fmt.Errorf("make the edge's disk read-only (%t): %w", locked, err)
		}
		return nil
	}
	return affliction{
		name: "read-only disk of edge", weight: 2, fits: func(w *world) bool { return w.disks["edge"] },
		begin: func(ctx context.Context, w *world) error {
			w.edge.kill()
			return errors.Join(lock(w, true), w.restart(ctx))
		},
		end: func(ctx context.Context, w *world) error {
			if w.random.IntN(3) == 0 {
				w.edge.kill()
			}
			return errors.Join(lock(w, false), w.restart(ctx))
		},
	}
}

// Names of those whose losses are held against what the journals count.
const (
	journalFull = "journal full"
	damagedEdge = "damaged journal of edge"
)

// evicting lets the edge's journal of samples overflow.
func evicting() affliction {
	const room = 400 << 10
	return affliction{
		name: journalFull, weight: 1, alone: true, fits: always,
		begin: func(ctx context.Context, w *world) error {
			err := stop(w.edge)
			w.brokerWays(func(p *proxy) { p.be(harm{refuse: true}) })
			a, readErr := w.arrived(ctx)
			if err = errors.Join(err, readErr); err != nil {
				return err
			}
			w.edgeRoom = room
			w.truth.excuse(a.here, "the journal was full", samples)
			w.truth.excuseNew("the journal was full", samples)
			return errors.Join(w.restart(ctx), w.tellEdge("burst 20000"))
		},
		end: func(_ context.Context, w *world) error {
			w.edgeRoom = 0 // from its next start
			w.brokerWays(func(p *proxy) { p.be(harm{}) })
			return nil
		},
	}
}

// damaging hurts files of a process that was killed with facts under way. What the
// end of the way does not have yet may be lost; that it was is told.
func damaging(name string, files ...string) affliction {
	which := func(w *world) *process {
		if name == "edge" {
			return w.edge
		}
		return w.hub
	}
	return affliction{
		name: "damaged journal of " + name, weight: 2, alone: true, fits: always,
		begin: func(_ context.Context, w *world) error {
			if name == "edge" {
				w.brokerWays(func(p *proxy) { p.be(harm{refuse: true}) })
			}
			return nil
		},
		end: func(ctx context.Context, w *world) error {
			which(w).kill()
			a, err := w.arrived(ctx)
			if err != nil {
				return err
			}
			w.truth.excuse(a.here, "its journal was damaged", kinds...)
			w.unknowable = 0
			if name == "hub" { // what the history has already, the judge may not
				w.truth.mayOvertake()
			}
			for _, file := range files {
				if err := w.damage(filepath.Join(w.dir, name, file)); err != nil {
					return err
				}
			}
			w.brokerWays(func(p *proxy) { p.be(harm{}) })
			return w.restart(ctx)
		},
	}
}

// damage flips bits of a file, or takes its end. SQLite ends its log where its last
// transaction is damaged, or where the file ends, and nobody can tell what stood there
// from what was never written: that is not counted.
func (w *world) damage(path string) error {
	log := false
	if wal := path + "-wal"; w.random.IntN(2) == 0 && size(wal) > 0 {
		path, log = wal, true
		w.unknowable = max(w.unknowable, lastTransaction)
	}
	n := size(path)
	if n == 0 || w.random.IntN(3) == 0 {
		return nil
	}
	if w.random.IntN(4) == 0 {
		if log {
			w.unknowable = math.MaxInt64
		}
		return os.Truncate(path, w.random.Int64N(n))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for range 1 + w.random.IntN(8) {
		var b [1]byte
		at := w.random.Int64N(n)
		if _, readErr := f.ReadAt(b[:], at); readErr != nil {
			err = errors.Join(err, readErr)
		}
		b[0] ^= 1 << w.random.IntN(8)
		_, writeErr := f.WriteAt(b[:], at)
		err = errors.Join(err, writeErr)
	}
	return errors.Join(err, f.Close())
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// oldCopy puts back the edge's journals as they were some time before.
func oldCopy() affliction {
	copyOf := func(w *world) string { return filepath.Join(w.dir, "copy") }
	return affliction{
		name: "old copy of the edge's journals", weight: 1, alone: true, fits: always,
		begin: func(ctx context.Context, w *world) error {
			err := stop(w.edge)
			return errors.Join(err, copyJournals(filepath.Join(w.dir, "edge"), copyOf(w)), w.restart(ctx))
		},
		end: func(ctx context.Context, w *world) error {
			w.edge.kill()
			a, err := w.arrived(ctx)
			if err != nil {
				return err
			}
			w.truth.excuse(a.here, "its journal was an old copy", kinds...)
			return errors.Join(copyJournals(copyOf(w), filepath.Join(w.dir, "edge")), w.restart(ctx))
		},
	}
}

func copyJournals(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(to, "edge-*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(from, "edge-*"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if strings.Contains(path, ".damaged-") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(path)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
