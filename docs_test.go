package cairn_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fence is a fenced block of a Markdown page: its language, the lines in it,
// and the mark in front of it, as in <!-- command: demo -->.
type fence struct {
	line                 int
	mark, language, text string
}

// fences are the blocks of a page, in order.
func fences(t *testing.T, path string) []fence {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []fence
	var open *fence
	mark := ""
	for i, line := range strings.Split(string(page), "\n") {
		switch {
		case open != nil && line == "```":
			found = append(found, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open = &fence{line: i + 1, mark: mark, language: strings.TrimPrefix(line, "```")}
			mark = ""
		default:
			mark = strings.TrimSuffix(strings.TrimPrefix(line, "<!-- command: "), " -->")
			if mark == line {
				mark = ""
			}
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block has no end", path, open.line)
	}
	return found
}

// TestReadme runs every command of README.md, in order and in one shell, as a
// reader would, and compiles its Go program. It leaves out the command marked
// "tests", which would run this test again; .ci/run takes that one from the
// page. A text block under a command is what the command prints, as matches
// says.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the binary and runs the whole stack and the demo; leave out -short")
	}
	var script strings.Builder
	expected := map[int]fence{} // output by the line of the block that makes it
	previous := 0
	for _, block := range fences(t, "README.md") {
		switch {
		case block.mark == "tests":
			if !strings.Contains(block.text, "make test") {
				t.Errorf("README.md:%d: the tests' command is %q", block.line, block.text)
			}
		case block.language == "sh":
			fmt.Fprintf(&script, "printf '%s%d\\n'\n%s", blockMark, block.line, block.text)
			previous = block.line
		case block.language == "text":
			expected[previous] = block
		case block.language == "go":
			t.Run("go", func(t *testing.T) { compile(t, block.text) })
		default:
			t.Errorf("README.md:%d: a block of language %q, which nothing runs", block.line, block.language)
		}
	}
	printed := runShell(t, elsewhere(t, script.String()))
	for line, block := range expected {
		if got := printed[line]; !matches(block.text, got) {
			t.Errorf("README.md:%d: the block at line %d prints\n%s\nand not\n%s", block.line, line, got, block.text)
		}
	}
}

const blockMark = "@@ block at line "

// elsewhere makes a script use free ports: another stack may have the default
// ones.
func elsewhere(t *testing.T, script string) string {
	t.Helper()
	listen, http := freeAddress(t), freeAddress(t)
	const start = "cairn dev "
	if !strings.Contains(script, start) {
		t.Fatalf("README.md does not run %q", start)
	}
	script = strings.ReplaceAll(script, start, fmt.Sprintf("cairn dev --listen %s --http %s ", listen, http))
	return "set -euo pipefail\nexport CAIRN_ADDR=" + listen + "\n" + script
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// runShell runs a script from the module's root and returns what each block
// printed, by its line.
func runShell(t *testing.T, script string) map[int]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	// The script's temporary folders go where the test's go; what it leaves
	// running when it fails ends with it.
	shell.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGTERM) }
	shell.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	shell.Stdout, shell.Stderr = &stdout, &stderr
	err := shell.Run()
	if err != nil {
		_ = syscall.Kill(-shell.Process.Pid, syscall.SIGTERM)
		t.Fatalf("README.md's commands: %v\nstandard output:\n%s\nstandard error:\n%s", err, &stdout, &stderr)
	}
	printed := map[int]string{}
	line := 0
	for text := range strings.Lines(stdout.String()) {
		if _, err := fmt.Sscanf(text, blockMark+"%d\n", &line); err != nil {
			printed[line] += text
		}
	}
	return printed
}

// compile compiles a Go program against this module.
func compile(t *testing.T, program string) {
	path := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(path, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "vet", path)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// matches reports whether text is what a pattern says, line by line. "..."
// stands for anything within its line and, alone, for any number of lines.
func matches(pattern, text string) bool {
	return matchesLines(strings.Split(strings.TrimSpace(pattern), "\n"), strings.Split(strings.TrimSpace(text), "\n"))
}

func matchesLines(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case strings.TrimSpace(want[0]) == "...":
		return matchesLines(want[1:], got) || len(got) > 0 && matchesLines(want, got[1:])
	}
	return len(got) > 0 && matchesLine(strings.TrimSpace(want[0]), strings.TrimSpace(got[0])) && matchesLines(want[1:], got[1:])
}

func matchesLine(pattern, line string) bool {
	parts := strings.Split(pattern, "...")
	if !strings.HasPrefix(line, parts[0]) {
		return false
	}
	line = line[len(parts[0]):]
	for _, part := range parts[1:] {
		at := strings.Index(line, part)
		if part == "" {
			at = len(line)
		}
		if at < 0 {
			return false
		}
		line = line[at+len(part):]
	}
	return line == ""
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a\nb", "a\nb\n", true},
		{"a", "a\nb", false},
		{"a ... c", "a b b c", true},
		{"a ... c", "a b", false},
		{"a...", "a", true},
		{"a\n...\nd", "a\nb\nc\nd", true},
		{"a\n...\nd", "a\nd", true},
		{"a\n...\nd", "a\nb", false},
		{"...", "", true},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
}
