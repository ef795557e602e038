package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"cairn/bench/load"
	"cairn/bench/locates"
)

// The table is its primary key's tree: without row numbers there is no other.
const (
	entriesTable  = "CREATE TABLE entries (key TEXT NOT NULL PRIMARY KEY, node TEXT NOT NULL) WITHOUT ROWID, STRICT"
	insertEntries = "INSERT INTO entries VALUES (?1, ?2)"

	locateOne = "SELECT node FROM entries WHERE key = ?1"
	// The keys come as one argument and the nodes leave as one row, in the
	// order of the keys, since a left join looks up one after the other. IN
	// with a parameter for each of 128 keys takes half as long again, and a
	// join that has a row for each a third.
	locateMany = "SELECT group_concat(ifnull(node, ''), ' ') FROM json_each(?1) AS asked LEFT JOIN entries ON entries.key = asked.value"
)

// FillEntries makes a table of the first entries.
func (s *SQLite) FillEntries(ctx context.Context, entries int, nodes locates.Nodes) error {
	read := func(first, end int) ([][]any, error) {
		of, err := nodes(ctx, first, end)
		if err != nil {
			return nil, err
		}
		rows := make([][]any, len(of))
		for i, node := range of {
			rows[i] = []any{string(load.Key(first + i)), node}
		}
		return rows, nil
	}
	return s.fill(ctx, entriesTable, insertEntries, entries, read, nil, []string{locateOne, locateMany})
}

// Locate asks for one key through its primary key.
func (s *SQLite) Locate(ctx context.Context, batch *locates.Batch) error {
	node := ""
	err := s.ask(ctx, locateOne, []any{batch.Texts[0]}, func(values []driver.Value) error {
		node = textOf(values[0])
		return nil
	})
	if err != nil {
		return err
	}
	return batch.Put(0, node)
}

// LocateBatch asks for all keys of a batch at once. The benchmark's keys and
// nodes have nothing that JSON would have to escape, and no blanks.
func (s *SQLite) LocateBatch(ctx context.Context, batch *locates.Batch) error {
	nodes := ""
	keys := `["` + strings.Join(batch.Texts, `","`) + `"]`
	if err := s.askOne(ctx, locateMany, []any{keys}, func(values []driver.Value) { nodes = textOf(values[0]) }); err != nil {
		return err
	}
	i := 0
	for node := range strings.SplitSeq(nodes, " ") {
		if i == len(batch.Texts) {
			return fmt.Errorf("more than %d nodes for as many keys", i)
		}
		if err := batch.Put(i, node); err != nil {
			return err
		}
		i++
	}
	if i < len(batch.Texts) {
		return fmt.Errorf("%d nodes for %d keys", i, len(batch.Texts))
	}
	return nil
}
