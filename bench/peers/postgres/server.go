package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cairn/bench/peers/server"
)

// Where Debian's package has its programs, and what brings it.
const (
	peerName = "PostgreSQL 15"
	programs = "/usr/lib/postgresql/15/bin"
	install  = "apt-get install postgresql-15"
)

// settings are what the documentation advises for a server that has a machine
// of some gigabytes and mostly reads: everything fits the buffers, the planner
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
	"max_connections":                 "200",
	"max_wal_size":                    "8GB",
	"listen_addresses":                "127.0.0.1",
}

// described is the settings as one line, and what the clients are.
func described() string {
	names := slices.Sorted(maps.Keys(settings))
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name + "=" + settings[name]
	}
	return strings.Join(out, " ") + "; locale C, TCP on loopback, pgx with prepared statements, a connection a caller"
}

// start makes a database in a temporary folder and serves it. PostgreSQL
// refuses to be root. It is a *server.Missing where it is not installed.
func start(ctx context.Context) (*server.Server, error) {
	initdb, err := server.Find(peerName, programs, "initdb", install)
	if err != nil {
		return nil, err
	}
	s, err := server.New(ctx, true)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.Folder, "data")
	err = s.Run(ctx, initdb, "-D", data, "-U", "bench", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-sync")
	if err == nil {
		args := []string{"-D", data, "-p", strconv.Itoa(s.Port), "-k", s.Folder}
		for name, value := range settings {
			args = append(args, "-c", name+"="+value)
		}
		err = s.Start(ctx, filepath.Join(filepath.Dir(initdb), "postgres"), args...)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// address is how clients reach it: over TCP, as Cairn's indexes are reached.
func address(s *server.Server) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=bench dbname=postgres sslmode=disable", s.Port)
}
