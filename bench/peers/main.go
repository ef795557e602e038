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
	"slices"
	"strings"
	"syscall"
	"time"

	"cairn/bench/etcd"
	"cairn/bench/peers/server"
	"cairn/bench/report"
	"cairn/bench/spawn"
	"cairn/bench/stack"
)

// settings are what a run is made with.
type settings struct {
	entries, callers, batchCallers, viewCallers, pairs int
	warmup, length                                     time.Duration
	only, beside                                       string
	json                                               string
	out                                                *report.Record
}

// workload measures one thing beside its peers.
type workload struct {
	name string
	run  func(ctx context.Context, s settings) error
}

var workloads = []workload{{"locates", locatesBeside}, {"ycsb", ycsbBeside}, {"views", viewsBeside}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	profiled, err := spawn.ProfileAsked(os.Args[1:])
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
		return playPart(ctx, args[1], args[2:])
	}
	names := make([]string, len(workloads))
	for i, w := range workloads {
		names[i] = w.name
	}
	if len(args) == 0 || args[0] != "all" && !slices.Contains(names, args[0]) {
		return fmt.Errorf("usage: peers %s|all [flags]; peers all -h lists the flags", strings.Join(names, "|"))
	}
	s, to, done, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	s.out = report.Begin(ctx, to, "go run -C bench/peers . "+strings.Join(args, " "))
	for _, w := range workloads {
		if args[0] == "all" || args[0] == w.name {
			err = errors.Join(err, w.run(ctx, s))
		}
	}
	if s.json != "" {
		err = errors.Join(err, s.out.Save(s.json))
	}
	return errors.Join(err, done())
}

// playPart is what a process does that spawn started.
func playPart(ctx context.Context, name string, args []string) error {
	for _, play := range []func(context.Context, string, []string) (bool, error){stack.Play, etcd.Play} {
		if played, err := play(ctx, name, args); played {
			return err
		}
	}
	return fmt.Errorf("there is no part %q", name)
}

// parse reads the flags; done closes the copy of the output, if one is kept.
func parse(args []string) (s settings, to io.Writer, done func() error, err error) {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.IntVar(&s.entries, "entries", 1_000_000, "entries or records")
	flags.IntVar(&s.callers, "callers", 64, "locates, ycsb: concurrent callers of single keys")
	flags.IntVar(&s.batchCallers, "batch-callers", 16, "locates: concurrent callers of batches")
	flags.IntVar(&s.viewCallers, "view-callers", 16, "views: concurrent callers")
	flags.IntVar(&s.pairs, "pairs", 10, "pairs of peer and ours")
	flags.DurationVar(&s.warmup, "warmup", 500*time.Millisecond, "how long each run goes on before it counts")
	flags.DurationVar(&s.length, "length", 2*time.Second, "how long each run counts")
	flags.StringVar(&s.beside, "beside", "", "views: `PEERS` to measure beside, of postgres, redis and sqlite with commas between; empty for all")
	flags.StringVar(&s.only, "only", "", "views: `WORKLOADS` to run, with commas between; empty for all")
	flags.StringVar(&s.json, "json", "", "a `FILE` for the figures as JSON")
	quick := flags.Bool("quick", false, "3 short pairs: to see where one is while working, nothing to record")
	out := flags.String("out", "", "a `FILE`, below the folder of the command, that gets a copy of the output")
	if err := flags.Parse(args[1:]); err != nil {
		return s, nil, nil, err
	}
	if flags.NArg() > 0 || s.entries < 1_000 || min(s.callers, s.batchCallers, s.viewCallers, s.pairs) < 1 {
		return s, nil, nil, errors.New("at least 1000 entries, one caller and one pair, and nothing but flags")
	}
	if *quick {
		s.pairs, s.warmup, s.length = 3, 200*time.Millisecond, time.Second
	}
	if *out == "" {
		return s, os.Stdout, func() error { return nil }, nil
	}
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return s, nil, nil, err
	}
	file, err := os.Create(*out)
	if err != nil {
		return s, nil, nil, err
	}
	return s, io.MultiWriter(os.Stdout, file), file.Close, nil
}

// missing notes in the record that a peer is not installed, if that is what is
// wrong; what would be measured beside it is left out.
func missing(r *report.Record, err error) bool {
	var m *server.Missing
	if !errors.As(err, &m) {
		return false
	}
	r.AddPeer(report.Peer{Name: m.Peer, Settings: m.Error()})
	return true
}

// processors measures what a side takes of the processors, that of its client,
// which is this process, included.
func (s settings) processors(measure report.Measure, pids func() []int) report.Measure {
	used := func() time.Duration { return spawn.Used(append(pids(), os.Getpid())) }
	return report.Processors(measure, used, s.warmup, s.length)
}
