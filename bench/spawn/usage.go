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
	// files that are mapped count.
	Memory, MemoryPeak int64
	// Written is what was handed to the file system to be put on the device: a
	// page that is changed again before it gets there counts once.
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
		{"io", "write_bytes", 1, &u.Written},
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
