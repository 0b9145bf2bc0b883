// Command litequant loads Keras, SavedModel, TF-Hub and .tflite networks,
// fine-tunes, converts, quantizes, runs and evaluates them. `litequant help`
// lists the commands; each is one file of this package, over the public packages.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker (-X main.version=v1.2.3).
var version = "devel"

func main() { os.Exit(Main()) }

// Main runs the command line of this process and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is one execution of the command. A panic, which is always a bug, becomes
// one line like every other failure.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	out := &stream{w: stdout}
	a := &app{stdin: stdin, stdout: out, stderr: stderr}
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "litequant: internal error: %v; please report it with the command line\n", r)
			code = exitFailed
		}
	}()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("stdout: %w", cause(out.err))
	}
	return a.report(ctx, err)
}

// stream remembers the first error of writing to w, so that tables need not.
type stream struct {
	w   io.Writer
	err error
}

func (s *stream) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if s.err == nil {
		s.err = err
	}
	return n, err
}
