package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cairn/bench/report"
	"cairn/bench/spawn"
	"cairn/bench/stack"
)

// settings are what a run is made with.
type settings struct {
	entries, callers, pairs int
	warmup, length, settle  time.Duration
	only                    string
	out                     io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	profiled, err := spawn.Profile(os.Args[1:])
	if err == nil {
		err = errors.Join(run(ctx, os.Args[1:]), profiled())
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 1 && args[0] == spawn.Verb {
		played, err := stack.Play(ctx, args[1], args[2:])
		if !played {
			return fmt.Errorf("there is no part %q", args[1])
		}
		return err
	}
	if len(args) == 0 || args[0] != "views" {
		return errors.New("usage: peers views [flags]; peers views -h lists the flags")
	}
	s, done, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	report.Header(ctx, s.out, "go run -C bench/peers . "+strings.Join(args, " "))
	return errors.Join(viewsBeside(ctx, s), done())
}

// parse reads the flags; done closes the copy of the output, if one is kept.
func parse(args []string) (s settings, done func() error, err error) {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.IntVar(&s.entries, "entries", 1_000_000, "records")
	flags.IntVar(&s.callers, "callers", 16, "concurrent callers")
	flags.IntVar(&s.pairs, "pairs", 10, "pairs of peer and ours")
	flags.DurationVar(&s.warmup, "warmup", 500*time.Millisecond, "how long each run goes on before it counts")
	flags.DurationVar(&s.length, "length", 2*time.Second, "how long each run counts")
	flags.DurationVar(&s.settle, "settle", time.Minute, "how long a filled index may take to write it all to its file")
	flags.StringVar(&s.only, "only", "", "`WORKLOADS` to run, with commas between; empty for all")
	quick := flags.Bool("quick", false, "3 short pairs: to see where one is while working, nothing to record")
	out := flags.String("out", "", "a `FILE`, below the folder of the command, that gets a copy of the output")
	if err := flags.Parse(args[1:]); err != nil {
		return s, nil, err
	}
	if flags.NArg() > 0 || s.entries < 1_000 || s.callers < 1 || s.pairs < 1 {
		return s, nil, errors.New("at least 1000 entries, one caller and one pair, and nothing but flags")
	}
	if *quick {
		s.pairs, s.warmup, s.length = 3, 200*time.Millisecond, time.Second
	}
	s.out = os.Stdout
	if *out == "" {
		return s, func() error { return nil }, nil
	}
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return s, nil, err
	}
	file, err := os.Create(*out)
	if err != nil {
		return s, nil, err
	}
	s.out = io.MultiWriter(os.Stdout, file)
	return s, file.Close, nil
}
