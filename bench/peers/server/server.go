package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"cairn/bench/spawn"
)

// Missing is the error of a peer that is not installed.
type Missing struct {
	// Peer is its name, Program what was looked for, and Install the command
	// that brings it.
	Peer, Program, Install string
}

func (m *Missing) Error() string {
	return fmt.Sprintf("%s is not installed, there is no %s; to install it: %s", m.Peer, m.Program, m.Install)
}

// Find is the path of a peer's program, which is looked for in a folder and
// then where the shell looks. It is a *Missing where there is none.
func Find(peer, folder, program, install string) (string, error) {
	if path := filepath.Join(folder, program); folder != "" {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", &Missing{Peer: peer, Program: program, Install: install}
	}
	return path, nil
}

// Server is a peer's server.
type Server struct {
	// Folder is its own, and Port free when it was chosen.
	Folder string
	Port   int

	as      *syscall.SysProcAttr
	command *exec.Cmd
}

// New makes a folder and chooses a port. A server that refuses to be root is
// unprivileged: nobody then, if we are root.
func New(ctx context.Context, unprivileged bool) (*Server, error) {
	folder, err := os.MkdirTemp("", "cairn-peer-")
	if err != nil {
		return nil, err
	}
	s := &Server{Folder: folder}
	if s.Port, err = freePort(ctx); err == nil && unprivileged && os.Getuid() == 0 {
		err = s.beNobody()
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) beNobody() error {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, uidErr := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(s.Folder, int(uid), int(gid))
}

// Run runs a program in the server's folder to its end.
func (s *Server) Run(ctx context.Context, program string, args ...string) error {
	command := exec.CommandContext(ctx, program, args...)
	command.SysProcAttr, command.Dir = s.as, s.Folder
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, out)
	}
	return nil
}

// Start starts the server; what it says goes to the file "log" in its folder.
func (s *Server) Start(ctx context.Context, program string, args ...string) error {
	log, err := os.Create(filepath.Join(s.Folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	// It outlives ctx, so that connections are closed before it is stopped.
	command := exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	command.SysProcAttr, command.Dir, command.Stdout, command.Stderr = s.as, s.Folder, log, log
	if err := command.Start(); err != nil {
		return err
	}
	s.command = command
	return nil
}

// PIDs are its first process and those that this one started.
func (s *Server) PIDs() []int { return spawn.WithChildren(s.command.Process.Pid) }

// Await waits until the server answers, with the last error if it does not.
func (s *Server) Await(ctx context.Context, ask func(context.Context) error) error {
	const longest = 20 * time.Second
	var err error
	for end := time.Now().Add(longest); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if err = ask(ctx); err == nil {
			return nil
		}
	}
	said, _ := os.ReadFile(filepath.Join(s.Folder, "log"))
	return fmt.Errorf("it does not answer: %w\n%s", errors.Join(err, ctx.Err()), said)
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	var errs []error
	if s.command != nil {
		// PostgreSQL's fast shutdown, which ends connections, and Redis's too.
		errs = append(errs, s.command.Process.Signal(os.Interrupt))
		timer := time.AfterFunc(20*time.Second, func() { _ = s.command.Process.Kill() })
		errs = append(errs, s.command.Wait())
		timer.Stop()
	}
	return errors.Join(append(errs, os.RemoveAll(s.Folder))...)
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
