package spawn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Verb is the first argument of a part's process.
const Verb = "part"

const ready = "ready "

// Process is a part that serves.
type Process struct {
	// Address is what the part said it serves at.
	Address string

	name    string
	command *exec.Cmd
	stdin   io.Closer
	killed  bool
}

// Start runs this executable with the arguments Verb, name, args and waits
// until it serves. What the part writes to standard error goes to this
// process's. It fails if the part ends before it serves or ctx is done.
func Start(ctx context.Context, name string, args ...string) (*Process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	command := exec.CommandContext(ctx, path, append([]string{Verb, name}, args...)...)
	command.Stderr = os.Stderr
	command.WaitDelay = 10 * time.Second
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, isReady := strings.CutPrefix(strings.TrimSpace(line), ready)
	if err != nil || !isReady {
		stdin.Close()
		return nil, fmt.Errorf("start %s: it ended or said %q instead of an address: %w", name, line, errors.Join(err, command.Wait()))
	}
	return &Process{Address: address, name: name, command: command, stdin: stdin}, nil
}

// PID is the part's process.
func (p *Process) PID() int { return p.command.Process.Pid }

// Kill ends the part without asking it.
func (p *Process) Kill() error {
	p.killed = true
	return p.command.Process.Kill()
}

// Stop ends the part and waits for it. It fails if the part failed and was not
// killed.
func (p *Process) Stop() error {
	p.stdin.Close()
	if err := p.command.Wait(); err != nil && !p.killed {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	return nil
}

// Ready is what a part calls once it serves: it announces the address and
// returns when the process that started it wants it to end.
func Ready(address string) error {
	if _, err := fmt.Println(ready + address); err != nil {
		return fmt.Errorf("announce %s: %w", address, err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("wait for the end: %w", err)
	}
	return nil
}
