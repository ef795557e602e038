package spawn

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Used is the processor time that processes have used so far, in steps of 10 ms.
// Those that have ended count as nothing.
func Used(pids []int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	var total time.Duration
	for _, pid := range pids {
		fields := statOf(pid)
		if len(fields) < 13 {
			continue
		}
		for _, field := range fields[11:13] {
			n, _ := strconv.ParseInt(field, 10, 64)
			total += time.Duration(n) * tick
		}
	}
	return total
}

// WithChildren are a process and those that it started.
func WithChildren(parent int) []int {
	out := []int{parent}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if fields := statOf(pid); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			out = append(out, pid)
		}
	}
	return out
}

// statOf is the fields of /proc/PID/stat (proc(5)) after the process's name,
// which may have spaces: the state first, the parent, and at 11 and 12 the time
// used.
func statOf(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	at := bytes.LastIndexByte(stat, ')')
	if err != nil || at < 0 {
		return nil
	}
	return strings.Fields(string(stat[at+1:]))
}
