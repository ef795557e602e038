package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
	"cairn/bench/stack"
)

// importRuns is how often the import is repeated, each time into a deployment
// of its own.
const importRuns = 3

// importFile measures `cairn import` of a CSV file, from the start of the
// command to its end, when all of it is durable.
func importFile(ctx context.Context, s settings) (err error) {
	folder, err := os.MkdirTemp("", "cairn-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	binary := filepath.Join(folder, "cairn")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/cairn").CombinedOutput(); err != nil {
		return fmt.Errorf("build cairn (bench runs in the module's root): %w\n%s", err, out)
	}
	file := filepath.Join(folder, "customers.csv")
	if err := writeCSV(file, s.entries); err != nil {
		return err
	}
	var runs []load.Result
	for range min(importRuns, s.pairs) {
		run, err := importOnce(ctx, binary, file, s.entries)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	report.Single(s.out, "Import", runs, report.Goal{Rate: 60_000})
	return nil
}

func importOnce(ctx context.Context, binary, file string, entries int) (result load.Result, err error) {
	d, err := stack.Deploy(ctx)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	started := time.Now()
	out, err := exec.CommandContext(ctx, binary, "--addr", d.Router, "import", stack.Keyspace, file, "--key", "id").CombinedOutput()
	if err != nil {
		return result, fmt.Errorf("cairn import: %w\n%s", err, out)
	}
	return load.Result{Items: entries, Calls: 1, Elapsed: time.Since(started)}, nil
}

// writeCSV writes so many customers in random order of their keys, as they come
// in real files, the same ones every time.
func writeCSV(path string, entries int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	countries := []string{"BR", "CN", "DE", "GB", "HU", "IE", "IN", "KE", "SE", "US"}
	out := bufio.NewWriter(file)
	fmt.Fprintln(out, "id,country,seats")
	for i, n := range load.Shuffled(1, entries) {
		fmt.Fprintf(out, "%s,%s,%d\n", load.Key(n), countries[n%len(countries)], i%1000)
	}
	return errors.Join(out.Flush(), file.Close())
}
