package spawn

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is what a process has taken of the machine, in bytes.
type Usage struct {
	// Memory is what is resident, MemoryPeak the most that ever was. Pages of
	// files that are mapped count, but for Anonymous, which is resident without them.
	Memory, MemoryPeak, Anonymous int64
	// Written is what was handed to write calls, of files and, which is little beside
	// them, of connections. What the kernel says was put on the device (write_bytes) is
	// whole folios, several times as much where pages here and there are changed.
	Written int64
}

// Usage is the process's.
func (p *Process) Usage() (Usage, error) { return UsageOf(p.PID()) }

// UsageOf asks the kernel about a process (/proc/PID/status and io, proc(5)).
func UsageOf(pid int) (u Usage, err error) {
	for _, each := range []struct {
		file, field string
		unit        int64
		to          *int64
	}{
		{"status", "VmRSS", 1 << 10, &u.Memory},
		{"status", "VmHWM", 1 << 10, &u.MemoryPeak},
		{"status", "RssAnon", 1 << 10, &u.Anonymous},
		{"io", "wchar", 1, &u.Written},
	} {
		value, err := procField(fmt.Sprintf("/proc/%d/%s", pid, each.file), each.field)
		if err != nil {
			return u, err
		}
		*each.to = value * each.unit
	}
	return u, nil
}

// procField is the number behind a field's name.
func procField(path, name string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if text, is := strings.CutPrefix(lines.Text(), name+":"); is {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no field %s", path, name)
}
