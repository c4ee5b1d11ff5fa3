package daemon

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/account"
	"gengfu/gateway/hub"
)

// watchEvery is how soon the log hears that the chain is not well.
const watchEvery = 5 * time.Second

// watch remembers what was said of the chain, and how the journals stood at the start.
type watch struct {
	mu     sync.Mutex
	chain  chain
	opened int64 // facts that the history had taken when the hub's journal was opened
}

// look says the state of the chain.
func (w *watch) look(h health, zone *time.Location) summary {
	found := findings(&h)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chain.summarise(found, h.Law.Queued, h.At, zone)
}

func (d *daemon) zone() *time.Location {
	if zone := d.Config.Estate.Site.Zone; zone != nil {
		return zone
	}
	return time.UTC
}

// watching logs what becomes of the chain, until ctx ends.
func (d *daemon) watching(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var said what
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s := d.health().Summary
		now := what("")
		if len(s.All) > 0 {
			now = s.All[0].What
		}
		switch {
		case now == said:
		case s.State == "trouble":
			d.Logger.Warn("the chain from the field to history and judge: "+s.Text.EN, "what", now)
		case said != "":
			d.Logger.Info("the chain from the field to history and judge: " + s.Text.EN)
		}
		said = now
	}
}

// openBooks takes down how the journals stand before anything runs.
func (d *daemon) openBooks() {
	if d.hubLog == nil {
		return
	}
	books := d.hubLog.Stats().Books
	d.watch.opened = books.Passed(hub.CursorHistory)
	for _, e := range d.edges() {
		if _, met := books.Counts[e.Base()]; !met {
			d.hubLog.Count(e.Base(), e.Apart(books))
		}
	}
}

// edges are the books of this gateway's own journals.
func (d *daemon) edges() []account.Edge {
	var out []account.Edge
	for _, stream := range []facility.Stream{facility.Telemetry, facility.Urgent} {
		if j, ok := d.edgeLog[stream]; ok {
			out = append(out, account.Edge{Site: d.Config.Site.ID, Gateway: d.Config.Gateway.ID, Stream: string(stream), Books: j.Stats().Books})
		}
	}
	return out
}

// law sets what was read against what became of it.
func (d *daemon) law() account.Law {
	before := d.edges()
	if d.hub == nil {
		return account.Of(before, nil, before, 0)
	}
	given := d.hub.Delivered()
	books := d.hubLog.Stats().Books
	return account.Of(before, &account.Hub{
		Books: books, Opened: d.watch.opened, Given: given.Facts(), Unreadable: given.Unreadable,
		History: hub.CursorHistory, Judge: hub.CursorJudge,
	}, d.edges(), d.hub.Delivered().Facts())
}

// resident is how much memory this process has, in bytes; 0 where the system does not
// say: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
