package daemon

import (
	"context"
	"errors"
	"fmt"
)

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// runParts starts the parts in order and works until ctx ends or one of them
// stops. Then it stops them in the opposite order, each before the next: who
// brings facts stops before who takes them.
func runParts(ctx context.Context, parts []part) error {
	type running struct {
		part
		cancel context.CancelFunc
		done   chan error
	}
	stopped := make(chan string, len(parts))
	all := make([]running, 0, len(parts))
	for _, p := range parts {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := running{p, cancel, make(chan error, 1)}
		go func() {
			r.done <- r.run(own)
			stopped <- r.name
		}()
		all = append(all, r)
	}
	var errs []error
	select {
	case <-ctx.Done():
	case name := <-stopped:
		if ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("%s stopped", name))
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		all[i].cancel()
		if err := <-all[i].done; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", all[i].name, err))
		}
	}
	return errors.Join(errs...)
}
