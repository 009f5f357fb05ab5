// Latchkey is a GraphQL API server with JWT authentication.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"latchkey/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back: a second one ends a slow shutdown at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Variables: os.Environ(),
	}))
}
