package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/daemon"
)

//go:embed demo.yaml
var demoManifest string

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Take a guided tour; it leaves nothing behind",
		Long: `Start a stack of three clusters in a temporary directory, load 100,000 customers
and show what Cairn does: real commands with their real output. It takes less
than half a minute, needs no network, and leaves nothing behind.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), cmd.OutOrStdout()) },
	}
}

// tour is a demo under way.
type tour struct {
	out  io.Writer
	bold bool
	addr string
	dir  string
	step int
	// shard is that of the customer who is looked at.
	shard string
}

// demo starts a stack, walks through it, and takes it down.
func demo(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "cairn-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &tour{out: out, dir: dir}
	_, t.bold = terminal(out)
	began := time.Now()
	t.introduce()
	addr, stop, err := startStack(ctx, filepath.Join(dir, "stack"))
	if err != nil {
		return err
	}
	t.addr = addr
	err = t.walk(ctx)
	if stopped := stop(); err == nil {
		err = stopped
	}
	if err == nil && ctx.Err() == nil {
		t.conclude(time.Since(began))
	}
	return err
}

// startStack runs a development stack until stop is called.
func startStack(ctx context.Context, dir string) (addr string, stop func() error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- daemon.RunDev(ctx, daemon.DevConfig{
			Common: daemon.Common{Listen: "127.0.0.1:0", Ready: func(a daemon.Addresses) { ready <- a.Listen }},
			Data:   dir,
		})
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	select {
	case addr := <-ready:
		return addr, stop, nil
	case err := <-ended:
		cancel()
		if err == nil {
			err = context.Cause(ctx)
		}
		return "", nil, err
	}
}

// walk goes through the steps until one fails or the caller has gone.
func (t *tour) walk(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		t.declare, t.load, t.locate, t.group, t.view, t.explain, t.split, t.move, t.watch,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// The width that the tour is laid out for.
const tourColumns = 78

func (t *tour) title(text string) {
	t.step++
	line := fmt.Sprintf("%d. %s ", t.step, text)
	line += strings.Repeat("-", max(tourColumns-len(line), 0))
	if t.bold {
		line = "\x1b[1m" + line + "\x1b[0m"
	}
	fmt.Fprintf(t.out, "\n%s\n\n", line)
}

// say prints a paragraph, wrapped.
func (t *tour) say(text string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > tourColumns {
			fmt.Fprintln(t.out, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	fmt.Fprintf(t.out, "%s\n\n", line)
}

// show prints a command as it could be typed, carries it out, and prints what
// it prints, at most so many lines of it (0: all).
func (t *tour) show(ctx context.Context, line string, most int) error {
	t.typed(line)
	command, file, piped := strings.Cut(line, " < ")
	var in io.Reader = strings.NewReader("")
	if piped {
		text, err := os.ReadFile(filepath.Join(t.dir, file))
		if err != nil {
			return err
		}
		in = bytes.NewReader(text)
	}
	var out bytes.Buffer
	code := run(ctx, t.arguments(command), in, &out, &out)
	t.indented(out.String(), most)
	return endedWell(line, code)
}

func (t *tour) typed(line string) {
	if t.bold {
		line = "\x1b[1m" + line + "\x1b[0m"
	}
	fmt.Fprintln(t.out, "  $ cairn "+line)
}

// endedWell is an error unless a command has ended well.
func endedWell(line string, code int) error {
	if code == exitOK {
		return nil
	}
	return cairn.Errorf(cairn.KindInternal, "DEMO", "'cairn %s' ended with exit code %d", line, code)
}

// beside carries out a watch beside what follows. It returns once the watch
// has begun; watched waits for its end and returns what it has printed.
func (t *tour) beside(ctx context.Context, line string) (watched func() (string, error), err error) {
	t.typed(line + " &")
	var out bytes.Buffer
	began, ended := make(chan struct{}), make(chan int, 1)
	go func() { ended <- run(ctx, t.arguments(line), strings.NewReader(""), &out, &signal{written: began}) }()
	select {
	case <-began:
	case code := <-ended:
		return nil, endedWell(line, code)
	}
	fmt.Fprintln(t.out)
	return func() (string, error) {
		code := <-ended
		return out.String(), endedWell(line, code)
	}, nil
}

// signal is a writer that closes a channel when something is first written.
type signal struct {
	written chan struct{}
	once    sync.Once
}

func (s *signal) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.written) })
	return len(p), nil
}

// quietly carries out a command, without showing it, for its document.
func quietly[T any](ctx context.Context, t *tour, line string) (document T, err error) {
	var out bytes.Buffer
	if err := endedWell(line, run(ctx, append(t.arguments(line), "-o", "json"), strings.NewReader(""), &out, io.Discard)); err != nil {
		return document, err
	}
	return document, json.Unmarshal(out.Bytes(), &document)
}

// arguments are a command line's, with the tour's stack and its files. What is
// in single quotes is one argument, as in a shell.
func (t *tour) arguments(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if quoted := i%2 == 1; quoted {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	for i, word := range words {
		if slices.Contains([]string{fleetFile, customersFile}, word) {
			words[i] = filepath.Join(t.dir, word)
		}
	}
	return append(words, "--addr", t.addr)
}

func (t *tour) indented(text string, most int) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if most > 0 && i == most {
			fmt.Fprintf(t.out, "    ... and %d more lines\n", len(lines)-most)
			break
		}
		line = strings.TrimRight("    "+line, " ")
		if long := []rune(line); len(long) > tourColumns { // a cursor
			line = string(long[:tourColumns-3]) + "..."
		}
		fmt.Fprintln(t.out, line)
	}
	fmt.Fprintln(t.out)
}
