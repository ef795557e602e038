package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cairn/bench/peers/server"
	"cairn/bench/report"
)

// Name is how it is called in reports: nobody is to take it for a server.
const Name = peerName + ", in the caller's process"

// What brings it where it is missing.
const (
	peerName = "SQLite"
	install  = "apt-get install gcc libc6-dev"
)

// The settings are what the documentation advises for a file that is mostly
// read: the log is written ahead, so that readers wait for nobody; what is
// written is synced when the log is moved to the file, which is enough where
// nothing is written any more; the file is mapped into memory, so that pages
// are not copied, and as much of it as the library allows; what of it is not
// mapped has a cache of 64 MiB; and what is sorted does not go to disk.
var (
	writing = []string{"journal_mode=WAL", "synchronous=NORMAL", "cache_size=-262144", "temp_store=MEMORY"}
	reading = []string{"query_only=ON", "cache_size=-65536", "mmap_size=2147418112", "temp_store=MEMORY"}
)

// durable is set where writes are measured: each is synced before it is done.
const durable = "synchronous=FULL"

// SQLite is a file and who reads it. It is a locates.Side and a
// views.Side, and FillSeats makes a ycsb.Store of it.
type SQLite struct {
	version, folder string
	readers         int
	idle            pool
}

// Open makes an empty file, which so many callers are to read at once. It is a
// *server.Missing where the library was not built in.
func Open(ctx context.Context, callers int) (*SQLite, error) {
	if !built {
		return nil, &server.Missing{Peer: peerName, Program: "C compiler that builds it in", Install: install}
	}
	folder, err := os.MkdirTemp("", "cairn-peer-")
	if err != nil {
		return nil, err
	}
	s := &SQLite{folder: folder, readers: callers}
	err = s.write(ctx, func(w *connection) error {
		return w.rows(ctx, "SELECT sqlite_version()", nil, func(values []driver.Value) error {
			s.version = textOf(values[0])
			return nil
		})
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Peer says what it is.
func (s *SQLite) Peer() report.Peer {
	return report.Peer{Name: Name, Version: s.version, Settings: strings.Join(writing[:2], " ") + ", " + durable + " where writes are measured; readers: " + strings.Join(reading, " ") +
		"; page_size=4096, tables WITHOUT ROWID, VACUUM and ANALYZE once filled; no network, go-sqlite3's driver without database/sql, " +
		"a read-only connection a caller, prepared statements"}
}

// PIDs are its processes: none but the caller's.
func (s *SQLite) PIDs() []int { return nil }

// Close ends it and removes its file.
func (s *SQLite) Close() error { return errors.Join(s.idle.close(), os.RemoveAll(s.folder)) }

func (s *SQLite) address() string { return "file:" + filepath.Join(s.folder, "data") }

// write opens a connection that writes, for as long as do does.
func (s *SQLite) write(ctx context.Context, do func(w *connection) error) (err error) {
	w, err := connect(ctx, s.address()+"?_mutex=no", writing)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return do(w)
}

// batch is how many records are read from Cairn at once.
const batch = 5_000

// fill makes a table of so many rows and its indexes, has it all in the file
// and opens the connections that read it, with these statements.
func (s *SQLite) fill(ctx context.Context, table, insert string, rows int, read func(first, end int) ([][]any, error), indexes, statements []string) error {
	err := s.write(ctx, func(w *connection) error {
		if err := w.run(ctx, table, "BEGIN"); err != nil {
			return err
		}
		for first := 0; first < rows; first += batch {
			of, err := read(first, min(first+batch, rows))
			if err != nil {
				return err
			}
			for _, row := range of {
				if err := w.rows(ctx, insert, row, nil); err != nil {
					return err
				}
			}
		}
		// Vacuumed, the table lies in order; indexes are made so. Statistics
		// say to the planner which of them is for what.
		if err := w.run(ctx, "COMMIT", "VACUUM"); err != nil {
			return err
		}
		return w.run(ctx, append(indexes, "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)")...)
	})
	if err != nil {
		return err
	}
	for range s.readers {
		c, err := connect(ctx, s.address()+"?mode=ro&_mutex=no", reading)
		if err != nil {
			return err
		}
		s.idle.give(c)
		for _, statement := range statements {
			if _, err := c.statement(statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask runs a query on a connection that nobody else uses meanwhile.
func (s *SQLite) ask(ctx context.Context, query string, args []any, each func(values []driver.Value) error) error {
	c, err := s.idle.take()
	if err != nil {
		return err
	}
	defer s.idle.give(c)
	return c.rows(ctx, query, args, each)
}

// askOne runs a query that has one row.
func (s *SQLite) askOne(ctx context.Context, query string, args []any, take func(values []driver.Value)) error {
	rows := 0
	err := s.ask(ctx, query, args, func(values []driver.Value) error {
		rows++
		take(values)
		return nil
	})
	if err == nil && rows != 1 {
		return fmt.Errorf("%d rows, want 1: %s", rows, query)
	}
	return err
}
