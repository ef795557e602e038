package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Header writes where, when and how the figures below it were made, in the
// form of benchstat's configuration lines.
func Header(ctx context.Context, w io.Writer, command string) {
	// The build does not know: go run leaves it out.
	revision, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		revision = []byte("unknown")
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	for _, line := range [][2]string{
		{"command", command},
		{"date", time.Now().UTC().Format(time.RFC3339)},
		{"revision", strings.TrimSpace(string(revision))},
		{"go", runtime.Version()},
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{"kernel", strings.TrimSpace(string(kernel))},
		{"cpu", field("/proc/cpuinfo", "model name")},
		{"cores", strconv.Itoa(runtime.NumCPU())},
		{"memory", field("/proc/meminfo", "MemTotal")},
		{"pkg", "cairn/bench"},
	} {
		fmt.Fprintf(w, "%s: %s\n", line[0], line[1])
	}
}

// field is the first value of a name in a file of "name : value" lines,
// "unknown" where there is none.
func field(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
