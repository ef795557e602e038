package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cairn/bench/report"
	"cairn/bench/spawn"
)

// functionsShown is how many functions of a profile are noted.
const functionsShown = 8

// profiled runs a workload, and has its processes leave profiles beside the report.
func (w *workload) profiled(ctx context.Context, s settings) error {
	// The processes that it starts may be in other folders.
	folder, err := filepath.Abs(filepath.Join(s.report, report.ProfilesFolder, w.name))
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755), os.Setenv(spawn.ProfileFolder, folder)); err != nil {
		return err
	}
	stop, err := spawn.Profile(folder, "main")
	if err != nil {
		return err
	}
	found := len(s.out.Findings)
	if err := errors.Join(w.run(ctx, s), stop(), os.Unsetenv(spawn.ProfileFolder)); err != nil {
		return err
	}
	items := 0
	for i := range s.out.Findings[found:] {
		for _, run := range s.out.Findings[found+i].Ours {
			items += run.Items
		}
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*"+spawn.CPUProfile))
	if err != nil {
		return err
	}
	for _, path := range paths {
		functions, err := mostCostly(ctx, path)
		if err != nil {
			return err
		}
		s.out.AddProfile(report.Profile{Workload: w.name, Process: spawn.PartOf(path), Items: items, Functions: functions})
	}
	return nil
}

// mostCostly are the functions that took the most of the time in a profile.
func mostCostly(ctx context.Context, path string) ([]report.FunctionCost, error) {
	top, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount", strconv.Itoa(functionsShown), path).Output()
	if err != nil {
		return nil, fmt.Errorf("go tool pprof -top %s: %w", path, err)
	}
	return functionsOf(string(top)), nil
}

// functionsOf reads what `go tool pprof -top` says: after some lines of which the last
// has the columns' names, a line each with what the function took itself, that as a
// share, a running sum of these, the same two with what it called, and its name.
func functionsOf(top string) []report.FunctionCost {
	var out []report.FunctionCost
	begun := false
	for line := range strings.Lines(top) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[0] == "flat" && fields[1] == "flat%":
			begun = true
		case begun && len(fields) > 5:
			// What took nothing has no unit.
			took, _ := time.ParseDuration(fields[0])
			if percent, err := strconv.ParseFloat(strings.TrimSuffix(fields[1], "%"), 64); err == nil {
				name := strings.TrimSuffix(strings.Join(fields[5:], " "), " (inline)")
				out = append(out, report.FunctionCost{Name: name, Share: percent / 100, Took: took})
			}
		}
	}
	return out
}
