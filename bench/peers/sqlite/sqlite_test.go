//go:build cgo

package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/views"
)

const entries = 20_000

func opened(t *testing.T) *SQLite {
	t.Helper()
	s, err := Open(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func nodeOf(n int) string { return fmt.Sprintf("node-%d", n%7) }

func nodes(_ context.Context, first, end int) ([]string, error) {
	out := make([]string, 0, end-first)
	for n := first; n < end; n++ {
		out = append(out, nodeOf(n))
	}
	return out, nil
}

// asked is a batch of keys, and the nodes that are the answer.
func asked(numbers ...int) (batch locates.Batch, want []string) {
	for _, n := range numbers {
		batch.Texts, want = append(batch.Texts, string(load.Key(n))), append(want, nodeOf(n))
	}
	batch.Nodes = make([]string, len(numbers))
	return batch, want
}

func TestLocatesInTheOrderOfTheKeys(t *testing.T) {
	s := opened(t)
	if err := s.FillEntries(t.Context(), entries, nodes); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 16, 128, 1024} {
		numbers := make([]int, size)
		for i := range numbers {
			numbers[i] = (i*7919 + 13) % entries
		}
		batch, want := asked(numbers...)
		if err := s.LocateBatch(t.Context(), &batch); err != nil || !slices.Equal(batch.Nodes, want) {
			t.Errorf("a batch of %d: %v, %v; want %v", size, batch.Nodes, err, want)
		}
	}
	batch, want := asked(5)
	if err := s.Locate(t.Context(), &batch); err != nil || !slices.Equal(batch.Nodes, want) {
		t.Errorf("a key: %v, %v; want %v", batch.Nodes, err, want)
	}
}

func TestKeysThatAreNotThereAreErrors(t *testing.T) {
	s := opened(t)
	if err := s.FillEntries(t.Context(), 10, nodes); err != nil {
		t.Fatal(err)
	}
	for _, numbers := range [][]int{{10}, {10, 1}, {1, 10, 2}, {1, 10}} {
		batch, _ := asked(numbers...)
		if err := s.LocateBatch(t.Context(), &batch); err == nil {
			t.Errorf("a batch of %v: no error, %q", numbers, batch.Nodes)
		}
	}
	batch, _ := asked(10)
	if err := s.Locate(t.Context(), &batch); err == nil {
		t.Errorf("a key: no error, %q", batch.Nodes)
	}
}

func TestReadersAreSetUpAsThePeerSays(t *testing.T) {
	s := opened(t)
	if err := s.FillEntries(t.Context(), 10, nodes); err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]driver.Value{
		"journal_mode": "wal", "page_size": int64(4096), "mmap_size": int64(2147418112),
		"cache_size": int64(-65536), "query_only": int64(1), "temp_store": int64(2),
	} {
		var got driver.Value
		if err := s.askOne(t.Context(), "PRAGMA "+pragma, nil, func(values []driver.Value) { got = values[0] }); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", pragma, got, err, want)
		}
	}
	if err := s.ask(t.Context(), "DELETE FROM entries", nil, nil); err == nil {
		t.Error("a reader deletes")
	}
}

func stored(first, end int) ([]views.Stored, error) {
	var out []views.Stored
	for n := first; n < end; n++ {
		out = append(out, views.Stored{Record: views.RecordOf(n), Node: nodeOf(n)})
	}
	return out, nil
}

func TestEachQuestionHasItsIndex(t *testing.T) {
	s := opened(t)
	if err := s.fillRecords(t.Context(), entries, stored); err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements() {
		var plan []string
		err := s.ask(t.Context(), "EXPLAIN QUERY PLAN "+statement, nil, func(values []driver.Value) error {
			plan = append(plan, textOf(values[3]))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// A range of scores is not in order of countries.
		sorts := strings.Contains(statement, "GROUP BY") && strings.Contains(statement, "score >")
		text := strings.Join(plan, "; ")
		if !strings.Contains(text, "COVERING INDEX") || !sorts && strings.Contains(text, "B-TREE") {
			t.Errorf("%s: %s", statement, text)
		}
	}
}

func TestAPageBehindTheLastRowOfOneGoesOn(t *testing.T) {
	s := opened(t)
	if err := s.fillRecords(t.Context(), entries, stored); err != nil {
		t.Fatal(err)
	}
	records, err := stored(0, entries)
	if err != nil {
		t.Fatal(err)
	}
	for i := range views.Views {
		view := &views.Views[i]
		var want views.Rows
		members := sorted(view, records)
		for _, r := range members {
			want = append(want, views.Row{Key: string(r.Key), Node: r.Node, Country: r.Country, Tier: r.Tier, Balance: r.Balance})
		}
		first := views.Question{Workload: &views.Workload{Asks: views.Page}, View: i}
		last := members[views.PageRows-1]
		next := first
		next.After = &views.Position{Sort: view.Of(&last.Record), Key: last.Key}
		for from, q := range map[int]*views.Question{0: &first, views.PageRows: &next} {
			answer, err := s.Ask(t.Context(), q)
			if err != nil {
				t.Fatalf("%s from %d: %v", view.Name, from, err)
			}
			to := min(from+views.PageRows, len(want))
			if got := answer.Text(); got != want[from:to].Text() {
				t.Errorf("%s from %d:\n%swant\n%s", view.Name, from, got, want[from:to].Text())
			}
		}
	}
}

// sorted are the records of a view in its order.
func sorted(view *views.View, records []views.Stored) []views.Stored {
	var out []views.Stored
	for _, r := range records {
		if view.Has(&r.Record) {
			out = append(out, r)
		}
	}
	number := func(v cairn.Value) float64 {
		n := 0.0
		switch of := argument(v).(type) {
		case int64:
			n = float64(of) // below 2^53
		case float64:
			n = of
		}
		if view.Sort[0] == '-' {
			return -n
		}
		return n
	}
	slices.SortFunc(out, func(a, b views.Stored) int {
		return cmp.Or(cmp.Compare(number(view.Of(&a.Record)), number(view.Of(&b.Record))), bytes.Compare(a.Key, b.Key))
	})
	return out
}
