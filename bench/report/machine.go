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

// Environment is where, when and how figures were made.
type Environment struct {
	Command  string    `json:"command"`
	Date     time.Time `json:"date"`
	Revision string    `json:"revision"`
	Go       string    `json:"go"`
	OS       string    `json:"os"`
	Arch     string    `json:"arch"`
	Kernel   string    `json:"kernel"`
	CPU      string    `json:"cpu"`
	Cores    int       `json:"cores"`
	Memory   string    `json:"memory"`
}

func environment(ctx context.Context, command string) Environment {
	// The build does not know: go run leaves it out.
	revision, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		revision = []byte("unknown")
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	return Environment{
		Command: command, Date: time.Now().UTC().Truncate(time.Second), Revision: strings.TrimSpace(string(revision)),
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: strings.TrimSpace(string(kernel)),
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: field("/proc/meminfo", "MemTotal"),
	}
}

// write writes it in the form of benchstat's configuration lines.
func (e *Environment) write(w io.Writer) {
	for _, line := range [][2]string{
		{"command", e.Command}, {"date", e.Date.Format(time.RFC3339)}, {"revision", e.Revision}, {"go", e.Go},
		{"goos", e.OS}, {"goarch", e.Arch}, {"kernel", e.Kernel}, {"cpu", e.CPU},
		{"cores", strconv.Itoa(e.Cores)}, {"memory", e.Memory}, {"pkg", "cairn/bench"},
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
