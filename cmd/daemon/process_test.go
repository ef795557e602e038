package daemon

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// anyPort is a loopback address with a port that is free.
const anyPort = "127.0.0.1:0"

// patience is how long a test waits for what should take a moment.
const patience = 30 * time.Second

// process is a server in a process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // of standard output
	ended chan struct{}
	err   error // valid once ended is closed

	mu  sync.Mutex
	log strings.Builder // standard error
}

// start runs a server as a process; it is killed when the test ends.
func start(t *testing.T, c child) *process {
	t.Helper()
	if c.Listen == "" {
		c.Listen = anyPort
	}
	if c.HTTP == "" {
		c.HTTP = anyPort
	}
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0]), lines: make(chan string, 16), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	// It closes with the test's process, however that ends.
	if _, err := p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.readLines(stdout) })
	readers.Go(func() { io.Copy(p, stderr) })
	go func() {
		readers.Wait()
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of the %s %s:\n%s", c.Kind, c.Cluster, p.logText())
		}
	})
	return p
}

func (p *process) readLines(stdout io.Reader) {
	defer close(p.lines)
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		p.lines <- scanner.Text()
	}
}

// Write takes what the process writes to standard error.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(text)
}

func (p *process) logText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// ready waits for the ready line and returns the addresses in it.
func (p *process) ready() Addresses {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			<-p.ended
			p.t.Fatalf("the process ended (%v) before it was ready:\n%s", p.err, p.logText())
		}
		return parseReady(p.t, line)
	case <-time.After(patience):
		p.t.Fatalf("not ready after %v:\n%s", patience, p.logText())
	}
	return Addresses{}
}

func parseReady(t *testing.T, line string) (at Addresses) {
	t.Helper()
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "ready" {
		t.Fatalf("standard output begins with %q; want a line that starts with ready", line)
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "listen":
			at.Listen = value
		case "http":
			at.HTTP = value
		case "etcd":
			at.Etcd = value
		}
	}
	return at
}

// says waits until the process has logged a text.
func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, "the log has "+text, func() bool { return strings.Contains(p.logText(), text) })
}

// kill is kill -9, and returns when the process is gone.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Errorf("%v: %v", signal, err)
	}
}

// terminate asks the process to end, and checks that it does so cleanly, in
// time, and without another word on standard output.
func (p *process) terminate(signal syscall.Signal) {
	p.t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(2 * ShutdownTimeout):
		p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.ended
		p.t.Fatalf("still there %v after %v:\n%s", 2*ShutdownTimeout, signal, p.logText())
	}
	if took := time.Since(begin); took > ShutdownTimeout {
		p.t.Errorf("it took %v to end after %v; want at most %v", took, signal, ShutdownTimeout)
	}
	if p.err != nil {
		p.t.Errorf("after %v it ended with %v:\n%s", signal, p.err, p.logText())
	}
	for line := range p.lines {
		p.t.Errorf("a further line on standard output: %q", line)
	}
}

// failure waits for a process that is to end by itself with exit status 1,
// and returns what it wrote to standard error.
func (p *process) failure() string {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still there after %v:\n%s", patience, p.logText())
	}
	if p.cmd.ProcessState.ExitCode() != 1 {
		p.t.Errorf("it ended with %v; want exit status 1", p.err)
	}
	return p.logText()
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it is not so that %s", patience, what)
		}
	}
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
