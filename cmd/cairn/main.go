package main

import (
	"context"
	"io"
	"os"

	"cairn/cmd/daemon"
)

func main() {
	// SIGINT and SIGTERM end a server cleanly, a watch without an error, and
	// an import with what is done so far counted.
	ctx, stop := daemon.SignalContext(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root, o := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	return report(stderr, command, o, err)
}
