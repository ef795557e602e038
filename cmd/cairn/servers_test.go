package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cairn/cmd/secure/securetest"
)

// This file lets scripts run servers: the real binary, in processes of their
// own.

type serversKey struct{}

// servers are those that a script has running, by the script's names for them.
type servers map[string]*server

type server struct {
	*exec.Cmd
	log bytes.Buffer
}

// serve is "serve NAME ARGS...": it starts a server and waits until it is
// ready. NAME_LISTEN and NAME_ETCD are its addresses.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.Value(serversKey{}).(servers)
	if neg || len(args) < 2 || running[args[0]] != nil {
		ts.Fatalf("usage: serve NAME ARGUMENTS..., of a name that is free")
	}
	name := args[0]
	command := &server{Cmd: exec.Command(lookPath(ts, "cairn"), args[1:]...)}
	command.Dir = ts.MkAbs(".")
	// What testscript.Main goes by is the name of the binary.
	command.Args[0] = "cairn"
	command.Stderr = &command.log
	stdout, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	running[name] = command
	ts.Defer(func() {
		if running[name] == command {
			_ = command.Process.Kill()
			_ = command.Wait()
			ts.Logf("[log of %s]\n%s", name, command.log.String())
		}
	})
	ready, _ := bufio.NewReader(stdout).ReadString('\n')
	if !strings.HasPrefix(ready, "ready ") {
		_ = command.Wait()
		delete(running, name)
		ts.Fatalf("%s is not ready: %q\n%s", name, ready, command.log.String())
	}
	for word := range strings.FieldsSeq(ready) {
		if what, address, found := strings.Cut(word, "="); found {
			ts.Setenv(strings.ToUpper(name+"_"+what), address)
		}
	}
}

// stack is "stack DIR": a development stack that CAIRN_ADDR then names.
func stack(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: stack DIR")
	}
	serve(ts, neg, []string{"stack", "dev", "--data", args[0], "--listen", "127.0.0.1:0", "--http", "", "--log-level", "warn"})
	ts.Setenv("CAIRN_ADDR", ts.Getenv("STACK_LISTEN"))
}

// lookPath finds a command where the script would.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, directory := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(directory, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("no %s in PATH", name)
	return ""
}

// end is "end [NAME]": it ends a server, the stack by default, as SIGTERM
// does, within five seconds. "end -kill [NAME]" does not ask.
func end(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.Value(serversKey{}).(servers)
	kill := len(args) > 0 && args[0] == "-kill"
	if kill {
		args = args[1:]
	}
	name := "stack"
	if len(args) == 1 {
		name = args[0]
	}
	command := running[name]
	if neg || len(args) > 1 || command == nil {
		ts.Fatalf("usage: end [-kill] [NAME], of a server that runs")
	}
	delete(running, name)
	if kill {
		ts.Check(command.Process.Kill())
		_ = command.Wait()
		return
	}
	began := time.Now()
	ts.Check(command.Process.Signal(syscall.SIGTERM))
	if err := command.Wait(); err != nil {
		ts.Fatalf("%s did not end cleanly: %v\n%s", name, err, command.log.String())
	}
	if took := time.Since(began); took > 5*time.Second {
		ts.Fatalf("%s took %s to end", name, took)
	}
}

// port is "port NAME": it sets a variable to the address of a port that is
// free.
func port(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], listener.Addr().String())
	ts.Check(listener.Close())
}

// certificates is "certificates FOLDER AUTHORITY NAME...": it makes an authority and what
// it signs for each name, good for 127.0.0.1. CAIRN_TLS_CERT and the like then name the
// files of the last.
func certificates(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: certificates FOLDER AUTHORITY NAME...")
	}
	folder := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(folder, 0o700))
	authority, err := securetest.New(folder, args[1])
	ts.Check(err)
	for _, name := range args[2:] {
		files, err := authority.Issue(name, time.Now().Add(time.Hour))
		ts.Check(err)
		ts.Setenv("CAIRN_TLS_CERT", files.Cert)
		ts.Setenv("CAIRN_TLS_KEY", files.Key)
		ts.Setenv("CAIRN_TLS_CA", files.CA)
	}
}
