package postgres

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
)

// programs is where Debian's package has them.
const programs = "/usr/lib/postgresql/15/bin"

// settings are what the documentation advises for a server that has a machine
// of some gigabytes and only reads: everything fits the buffers, the planner
// knows that random reads cost no more than others, and what costs more than it
// brings on so short queries is off (see jit, and workers in parallel, which
// take from the other callers what they give to one).
var settings = map[string]string{
	"shared_buffers":                  "2GB",
	"effective_cache_size":            "8GB",
	"work_mem":                        "64MB",
	"maintenance_work_mem":            "512MB",
	"random_page_cost":                "1.1",
	"jit":                             "off",
	"max_parallel_workers_per_gather": "0",
	"synchronous_commit":              "off",
	"autovacuum":                      "off", // nothing changes after the one vacuum that is asked for
	"max_wal_size":                    "8GB",
	"listen_addresses":                "127.0.0.1",
}

// server is a running PostgreSQL.
type server struct {
	folder  string
	port    int
	command *exec.Cmd
}

// start makes a database in a temporary folder and serves it. PostgreSQL
// refuses to be root, so for root it is nobody.
func start(ctx context.Context) (*server, error) {
	folder, err := os.MkdirTemp("", "cairn-peer-")
	if err != nil {
		return nil, err
	}
	s := &server{folder: folder}
	if err := s.run(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) run(ctx context.Context) error {
	as, err := unprivileged()
	if err != nil {
		return err
	}
	if as != nil {
		if err := os.Chown(s.folder, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			return err
		}
	}
	data := filepath.Join(s.folder, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, s.folder
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb (apt install postgresql-15): %w\n%s", err, out)
	}
	if s.port, err = freePort(ctx); err != nil {
		return err
	}
	args := []string{"-D", data, "-p", strconv.Itoa(s.port), "-k", s.folder}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	// It outlives ctx, so that connections are closed before it is stopped.
	s.command = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(programs, "postgres"), args...)
	s.command.SysProcAttr, s.command.Dir, s.command.Stdout, s.command.Stderr = as, s.folder, log, log
	if err := s.command.Start(); err != nil {
		s.command = nil
		return err
	}
	return nil
}

// address is how clients reach it: over TCP, as Cairn's indexes are reached.
func (s *server) address() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=bench dbname=postgres sslmode=disable", s.port)
}

// stop ends it without a farewell, and removes its data.
func (s *server) stop() error {
	var errs []error
	if s.command != nil {
		// SIGINT is its fast shutdown: connections are ended.
		errs = append(errs, s.command.Process.Signal(os.Interrupt))
		timer := time.AfterFunc(20*time.Second, func() { _ = s.command.Process.Kill() })
		errs = append(errs, s.command.Wait())
		timer.Stop()
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}

// unprivileged is who PostgreSQL is to be, nil for who we are.
func unprivileged() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, uidErr := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
