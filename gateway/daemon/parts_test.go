package daemon

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// diary notes what parts do, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) part(name string, started *sync.WaitGroup, end error) part {
	started.Add(1)
	return part{name, func(ctx context.Context) error {
		started.Done()
		<-ctx.Done()
		d.write(name)
		return end
	}}
}

func TestPartsStopInTheOppositeOrder(t *testing.T) {
	var d diary
	var started sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	parts := []part{
		d.part("taker", &started, nil),
		d.part("bringer", &started, errors.New("the disk is full")),
		d.part("pages", &started, context.Canceled),
	}
	ended := make(chan error, 1)
	go func() { ended <- runParts(ctx, parts) }()
	started.Wait()
	cancel()
	if err := <-ended; err == nil || err.Error() != "bringer: the disk is full" {
		t.Errorf("ended with %v", err)
	}
	if got := strings.Join(d.lines, " "); got != "pages bringer taker" {
		t.Errorf("stopped in the order %s", got)
	}
}

func TestAPartThatStopsEndsAll(t *testing.T) {
	for name, end := range map[string]error{"with an error": errors.New("broken"), "without": nil} {
		t.Run(name, func(t *testing.T) {
			var d diary
			var started sync.WaitGroup
			err := runParts(t.Context(), []part{
				d.part("taker", &started, nil),
				{"weak", func(context.Context) error { started.Wait(); return end }},
				d.part("pages", &started, nil),
			})
			if err == nil || !strings.Contains(err.Error(), "weak stopped") || end != nil && !errors.Is(err, end) {
				t.Errorf("ended with %v", err)
			}
			if got := strings.Join(d.lines, " "); got != "pages taker" {
				t.Errorf("stopped in the order %s", got)
			}
		})
	}
}
