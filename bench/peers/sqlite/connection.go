package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mattn/go-sqlite3"
)

// connection is a connection and its prepared statements, for one caller at a
// time. It is the driver's own: database/sql would take as long again as a
// small query does.
type connection struct {
	driver.Conn
	statements map[string]*statement
}

type statement struct {
	driver.Stmt
	query driver.StmtQueryContext
	// args and values are used again by each query.
	args   []driver.NamedValue
	values []driver.Value
}

// connect opens a connection and sets it up.
func connect(ctx context.Context, address string, pragmas []string) (*connection, error) {
	conn, err := (&sqlite3.SQLiteDriver{}).Open(address)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, statements: map[string]*statement{}}
	for _, pragma := range pragmas {
		if err := c.run(ctx, "PRAGMA "+pragma); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// run runs statements that have no arguments, once.
func (c *connection) run(ctx context.Context, statements ...string) error {
	executor, can := c.Conn.(driver.ExecerContext)
	if !can {
		return errors.New("the driver does not execute statements")
	}
	for _, text := range statements {
		if _, err := executor.ExecContext(ctx, text, nil); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// statement is a statement by its text, prepared when it is first asked for.
func (c *connection) statement(text string) (*statement, error) {
	if s := c.statements[text]; s != nil {
		return s, nil
	}
	prepared, err := c.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	query, can := prepared.(driver.StmtQueryContext)
	if !can {
		return nil, errors.Join(errors.New("the driver's statements are not for queries"), prepared.Close())
	}
	s := &statement{Stmt: prepared, query: query}
	c.statements[text] = s
	return s, nil
}

// rows runs a prepared statement and has each of its rows looked at, whose
// values are only good for that long.
func (c *connection) rows(ctx context.Context, text string, args []any, each func(values []driver.Value) error) (err error) {
	s, err := c.statement(text)
	if err != nil {
		return err
	}
	s.args = s.args[:0]
	for i, arg := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	// To watch whether the context ends takes longer than most answers do.
	if err := ctx.Err(); err != nil {
		return err
	}
	rows, err := s.query.QueryContext(context.WithoutCancel(ctx), s.args)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if s.values == nil {
		s.values = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(s.values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", text, err)
		}
		if err := each(s.values); err != nil {
			return err
		}
	}
}

// Close closes the connection and its statements.
func (c *connection) Close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.Conn.Close())...)
}

// pool is connections that nobody uses. The one that was used last is used
// next, since its memory is still in the processor's caches.
type pool struct {
	mu   sync.Mutex
	idle []*connection
}

// take takes a connection; there is one for each caller.
func (p *pool) take() (*connection, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil, errors.New("more callers than connections")
	}
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c, nil
}

func (p *pool) give(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.Close())
	}
	p.idle = nil
	return errors.Join(errs...)
}

// textOf and intOf are a row's values; "" and 0 of another type or none.
func textOf(v driver.Value) string {
	text, _ := v.(string)
	return text
}

func intOf(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}
