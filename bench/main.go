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

	"cairn/bench/report"
	"cairn/bench/spawn"
)

// settings are what every workload is run with.
type settings struct {
	entries     int
	callers     int
	viewCallers int
	batch       int
	streams     int
	window      int
	connections int
	pairs       int
	clusters    int
	rounds      int
	moves       int
	bulk        int
	followers   int
	changes     int
	mostEntries int
	mostShards  int
	svg         string
	report      string
	profile     bool
	warmup      time.Duration
	length      time.Duration
	flood       time.Duration
	out         *report.Record
}

// workload measures one thing and writes what it found.
type workload struct {
	name string
	run  func(ctx context.Context, s settings) error
}

func workloads() []workload {
	return []workload{
		{"locate-inprocess", locateInProcess},
		{"stream", stream},
		{"unary", unary},
		{"cached", cached},
		{"locates", plainLocates},
		{"import", importFile},
		{"puts", puts},
		{"bulk", bulk},
		{"replicas", replicas},
		{"moves", moves},
		{"map", mapChange},
		{"views", viewQuestions},
		{"overload", overloaded},
		{"balance", balance},
		{"growth", growth},
		{"constants", constants},
		{"floors", floors},
		{"peers", peers},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	profiled, err := spawn.ProfileAsked(os.Args[1:])
	if err == nil {
		err = errors.Join(run(ctx, os.Args[1:]), profiled())
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 1 && args[0] == spawn.Verb {
		return playPart(ctx, args[1], args[2:])
	}
	workloads := workloads()
	names := make([]string, 0, len(workloads))
	for _, w := range workloads {
		names = append(names, w.name)
	}
	usage := fmt.Errorf("usage: bench %s|all [flags], bench compare BEFORE.json AFTER.json, or bench capacity [flags]; -h lists the flags", strings.Join(names, "|"))
	if len(args) == 0 {
		return usage
	}
	switch args[0] {
	case "compare":
		return compare(os.Stdout, args[1:])
	case "capacity":
		return needs(os.Stdout, args[1:])
	}
	chosen := workloads
	if args[0] != "all" {
		at := slices.Index(names, args[0])
		if at < 0 {
			return fmt.Errorf("there is no workload %q; %w", args[0], usage)
		}
		chosen = workloads[at : at+1]
	}
	s, to, done, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	s.out = report.Begin(ctx, to, "go run ./bench "+strings.Join(args, " "))
	for _, w := range chosen {
		run := w.run
		if s.profile {
			run = w.profiled
		}
		if err = run(ctx, s); err != nil {
			err = fmt.Errorf("%s: %w", w.name, err)
			break
		}
	}
	if s.report != "" && len(s.out.Findings) > 0 {
		err = errors.Join(err, s.out.WriteReport(s.report))
	}
	return errors.Join(err, done())
}

// whole is the folder of the report on all workloads; of one there is none.
func whole(name string) string {
	if name == "all" {
		return defaultReport
	}
	return ""
}

const defaultReport = "bench-report"

// quicken takes less of everything that was not asked for by a flag.
func (s *settings) quicken(flags *flag.FlagSet) {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, each := range []struct {
		flag string
		to   *int
		less int
	}{
		{"entries", &s.entries, 300_000}, {"pairs", &s.pairs, 3}, {"moves", &s.moves, 30}, {"bulk", &s.bulk, 2_000_000},
		{"changes", &s.changes, 200}, {"clusters", &s.clusters, 200}, {"most-entries", &s.mostEntries, 100_000},
	} {
		if !given[each.flag] {
			*each.to = each.less
		}
	}
	if !given["warmup"] {
		s.warmup = 150 * time.Millisecond
	}
	if !given["length"] {
		s.length = 350 * time.Millisecond
	}
	if !given["flood"] {
		s.flood = 6 * time.Second
	}
}

// parse reads the flags; done closes the copy of the output, if one is kept.
func parse(args []string) (s settings, to io.Writer, done func() error, err error) {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.IntVar(&s.entries, "entries", 1_000_000, "entries in the index")
	flags.IntVar(&s.callers, "callers", 64, "unary, locates, puts: concurrent callers")
	flags.IntVar(&s.viewCallers, "view-callers", 16, "views: concurrent callers")
	flags.IntVar(&s.batch, "batch", 128, "stream: keys in a batch")
	flags.IntVar(&s.streams, "streams", 4, "stream: streams at once")
	flags.IntVar(&s.window, "window", 8, "stream: batches in flight on each stream")
	flags.IntVar(&s.connections, "connections", 1, "the client's connections")
	flags.IntVar(&s.pairs, "pairs", 10, "pairs of floor and ours")
	flags.IntVar(&s.clusters, "clusters", 1000, "balance: clusters in the simulated worlds")
	flags.IntVar(&s.rounds, "rounds", 60, "balance: rounds that they go through")
	flags.IntVar(&s.moves, "moves", 1000, "moves: how often a shard of 10,000 entries moves; larger ones move less often, or with few not at all")
	flags.IntVar(&s.followers, "followers", 100, "map: who follows the map as a router does")
	flags.IntVar(&s.changes, "changes", 1000, "map: how often it is changed")
	flags.IntVar(&s.bulk, "bulk", 20_000_000, "bulk: entries that are written one after the other")
	flags.StringVar(&s.report, "report", whole(args[0]), "a `FOLDER` for a page of what was found, with drawings and JSON; empty for none")
	flags.BoolVar(&s.profile, "profile", false, "have each process leave profiles beside the report, in bench-report if no other is named")
	flags.IntVar(&s.mostEntries, "most-entries", 1_000_000, "growth: entries at the most")
	flags.IntVar(&s.mostShards, "most-shards", 1_000_000, "growth: shards at the most")
	full := flags.Bool("full", false, "let what grows become as large as is claimed: 10M entries")
	flags.StringVar(&s.svg, "svg", "", "balance: a `FILE` for a drawing; its folder is made if it is not there")
	flags.DurationVar(&s.warmup, "warmup", time.Second, "how long each run goes on before it counts")
	flags.DurationVar(&s.length, "length", 3*time.Second, "how long each run counts")
	flags.DurationVar(&s.flood, "flood", time.Minute, "overload: how long more is asked for than can be answered")
	quick := flags.Bool("quick", false, "3 short pairs, and less of what takes long: about ten minutes for all, to see where one is")
	out := flags.String("out", "", "a `FILE` that gets a copy of the output; its folder is made if it is not there")
	if err := flags.Parse(args[1:]); err != nil {
		return s, nil, nil, err
	}
	if flags.NArg() > 0 {
		return s, nil, nil, fmt.Errorf("%q is more than one workload and its flags", flags.Args())
	}
	for _, least := range []struct {
		name  string
		value int
	}{{"entries", s.entries}, {"callers", s.callers}, {"view-callers", s.viewCallers}, {"batch", s.batch}, {"streams", s.streams}, {"window", s.window},
		{"connections", s.connections}, {"pairs", s.pairs}, {"clusters", s.clusters}, {"moves", s.moves}, {"followers", s.followers}, {"changes", s.changes}} {
		if least.value < 1 {
			return s, nil, nil, fmt.Errorf("-%s is %d; it is at least 1", least.name, least.value)
		}
	}
	if s.rounds < 2 {
		return s, nil, nil, fmt.Errorf("-rounds is %d; the first is only the beginning, so it is at least 2", s.rounds)
	}
	switch {
	case *quick && *full:
		return s, nil, nil, errors.New("it is either -quick or -full")
	case *quick:
		s.quicken(flags)
	case *full:
		s.mostEntries = max(s.mostEntries, 10_000_000)
	}
	if s.profile && s.report == "" {
		s.report = defaultReport
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
