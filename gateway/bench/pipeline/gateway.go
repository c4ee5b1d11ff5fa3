package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"gengfu/dashboard/password"
	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
	"gengfu/gateway/demo"
	"gengfu/storage/history"
	"gengfu/storage/ledger"

	"gengfu/facility"
)

// beGateway is "gengfu run" with one person who may look at the pages.
func beGateway(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(roleGateway, flag.ContinueOnError)
	file := flags.String("config", "", "")
	data := flags.String("data", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := config.Load(*file, config.Force(true))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*data, 0o700); err != nil {
		return err
	}
	err = daemon.Run(ctx, daemon.Options{
		Config: cfg, Data: *data, Version: "bench", Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Prepare:   func(ctx context.Context, l *ledger.Ledger, _ history.Store) error { return admit(ctx, l) },
		Listening: func(url string) { fmt.Fprintln(out, "listening", url) },
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// admit makes the first person of the demo.
func admit(ctx context.Context, l *ledger.Ledger) error {
	who := demo.People()[0]
	hash, err := password.Hash(who.Password, password.DefaultCost())
	if err != nil {
		return err
	}
	if err := l.CreatePerson(ctx, who.Person, hash); err != nil && !errors.Is(err, facility.ErrConflict) {
		return err
	}
	return nil
}
