// Command gengfu is the gateway of a residential property: it reads the field,
// keeps every fact, judges it, and shows it to people.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the site's zone must be known on machines without a zone database

	"gengfu/gateway/command"
)

var version = "dev" // set by the linker

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // whoever asks a second time does not want to wait
	os.Exit(command.Main(ctx, version, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
