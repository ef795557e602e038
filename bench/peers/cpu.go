package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/bench/load"
	"cairn/bench/report"
)

// processor measures what a side takes of the processors, that of its client,
// which is this process, included. It says more than the rate where others use
// the machine too: there each gets a share by how many processes it has.
type processor struct {
	processes func() []int
	each      []time.Duration // of an item, one a run
}

// around measures a measurement.
func (p *processor) around(measure report.Measure, warmup, length time.Duration) report.Measure {
	return func(ctx context.Context) (load.Result, error) {
		pids := append(p.processes(), os.Getpid())
		before := used(pids)
		result, err := measure(ctx)
		if err == nil && result.Items > 0 {
			// The items of the warm-up were not counted.
			items := float64(result.Items) * float64(warmup+length) / float64(length)
			p.each = append(p.each, time.Duration(float64(used(pids)-before)/items))
		}
		return result, err
	}
}

func (p *processor) median() time.Duration {
	slices.Sort(p.each)
	if len(p.each) == 0 {
		return 0
	}
	return p.each[len(p.each)/2]
}

// writeProcessors writes what both sides took.
func writeProcessors(w io.Writer, floor, ours *processor) {
	if ours.median() > 0 {
		fmt.Fprintf(w, "processor time an item: ours %v, floor %v, ratio %.2f\n", ours.median(), floor.median(),
			float64(floor.median())/float64(ours.median()))
	}
}

// used is the processor time that processes have used so far.
func used(pids []int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	var total time.Duration
	for _, pid := range pids {
		fields := statOf(pid)
		if len(fields) < 13 {
			continue // it has ended
		}
		for _, field := range fields[11:13] {
			n, _ := strconv.ParseInt(field, 10, 64)
			total += time.Duration(n) * tick
		}
	}
	return total
}

// children are a process and those that it started.
func children(parent int) []int {
	out := []int{parent}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if fields := statOf(pid); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			out = append(out, pid)
		}
	}
	return out
}

// statOf is the fields of /proc/PID/stat after the process's name, which may
// have spaces: the state first, the parent, and at 11 and 12 the time used.
func statOf(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	at := bytes.LastIndexByte(stat, ')')
	if err != nil || at < 0 {
		return nil
	}
	return strings.Fields(string(stat[at+1:]))
}
