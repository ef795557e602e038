package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"cairn/bench/report"
)

// peersModule is where the peers are, seen from the module's root.
const peersModule = "bench/peers"

// peers has bench/peers measure beside the peers, and takes over what it found.
// It is a program of a module of its own, for the sake of its drivers.
func peers(ctx context.Context, s settings) (err error) {
	folder, err := os.MkdirTemp("", "cairn-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	binary, found := filepath.Join(folder, "peers"), filepath.Join(folder, "found.json")
	if out, err := exec.CommandContext(ctx, "go", "build", "-C", peersModule, "-o", binary, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("build the peers (bench runs in the module's root): %w\n%s", err, out)
	}
	command := exec.CommandContext(ctx, binary, "all", "-json", found,
		"-entries", strconv.Itoa(s.entries), "-callers", strconv.Itoa(s.callers), "-view-callers", strconv.Itoa(s.viewCallers),
		"-pairs", strconv.Itoa(s.pairs), "-warmup", s.warmup.String(), "-length", s.length.String())
	command.Stdout, command.Stderr = s.out, os.Stderr
	// It has servers to end.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = time.Minute
	if err := command.Run(); err != nil {
		return err
	}
	record, err := report.Load(found)
	if err != nil {
		return err
	}
	s.out.Join(record)
	return nil
}
