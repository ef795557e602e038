package router_test

import (
	"context"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"cairn"
)

// Page asks for one page at an offset.
func (w *viewWorld) Page(*rapid.T) {
	where := w.where()
	query := cairn.PageQuery{
		Selection: w.selection(where),
		OrderBy:   rapid.SampledFrom(sorts).Draw(w.T, "order-by"),
		Limit:     rapid.IntRange(0, 30).Draw(w.T, "limit"),
		Offset:    rapid.IntRange(0, 80).Draw(w.T, "offset"),
		Explain:   rapid.Bool().Draw(w.T, "explain"),
	}
	got, err := w.router.QueryView(context.Background(), query)
	if err != nil {
		w.refused(query.Selection, err)
		return
	}
	w.incomplete(query.Selection, got.Scattered)
	limit := query.Limit
	if limit == 0 {
		limit = 50
	}
	want := w.members(where, query.OrderBy, got.Missing)
	want = want[min(query.Offset, len(want)):]
	w.rows(got.Rows, nil)
	if keys := keysOf(got.Rows); !slices.Equal(keys, want[:min(limit, len(want))]) {
		w.Fatalf("page %q; want %d of %q", keys, limit, want)
	}
	if more := len(want) > limit; more != (got.NextCursor != "") {
		w.Fatalf("a cursor %q with %d of %d rows", got.NextCursor, len(got.Rows), len(want))
	}
	sent := 0
	for _, plan := range got.Plans {
		if sent += plan.Rows; !strings.Contains(plan.Plan, "entries") {
			w.Fatalf("no plan: %+v", plan)
		}
	}
	if query.Explain && sent < len(got.Rows) {
		w.Fatalf("%d rows of %+v", len(got.Rows), got.Plans)
	}
}

func keysOf(rows []cairn.NamedRow) (keys []string) {
	for _, row := range rows {
		keys = append(keys, string(row.Key))
	}
	return keys
}

// rows checks what rows show: fields, or else those of the view.
func (w *viewWorld) rows(rows []cairn.NamedRow, fields []string) {
	if len(fields) == 0 {
		for _, each := range w.schema().Attributes() {
			if len(w.view.Fields) == 0 || slices.Contains(w.view.Fields, each.ID) {
				fields = append(fields, each.Name)
			}
		}
	}
	for _, row := range rows {
		want := values{}
		for name, value := range w.entries[string(row.Key)] {
			if slices.Contains(fields, name) {
				want[name] = value
			}
		}
		if !slices.Equal(row.Attributes.Sorted(), named(want)) || row.Cluster != w.owner(string(row.Key)) || row.Primary == nil || len(row.Replicas) != 1 {
			w.Fatalf("row %+v; want %v", row, want)
		}
	}
}

// Pages goes through a view while it is written and its shards are moved: each
// key that was in it throughout, and was not written, comes exactly once.
func (w *viewWorld) Pages(*rapid.T) {
	where := w.where()
	query := cairn.PageQuery{
		Selection: w.selection(where), OrderBy: rapid.SampledFrom(sorts).Draw(w.T, "order-by"),
		Limit: rapid.IntRange(1, 20).Draw(w.T, "limit"), Fields: []string{"size", "note"},
	}
	throughout := w.members(where, query.OrderBy, nil)
	version := w.view.Serving.Number
	touched, seen := map[string]bool{}, map[string]int{}
	var lastKey string
	var lastValues values
	var token cairn.Token
	for {
		got, err := w.router.QueryView(context.Background(), query)
		if err != nil && version != w.view.Serving.Number && query.Cursor != "" && cairn.ReasonOf(err) == "CURSOR_MISMATCH" {
			return // the view has been replaced
		}
		if err != nil {
			w.refused(query.Selection, err)
			return
		}
		if len(got.Missing) > 0 {
			return // Page has checked such
		}
		w.rows(got.Rows, query.Fields)
		for _, row := range got.Rows {
			key := string(row.Key)
			if seen[key]++; lastValues != nil && w.compare(query.OrderBy, lastKey, lastValues, key, w.entries[key]) >= 0 {
				w.Fatalf("%s comes after %s", key, lastKey)
			}
			lastKey, lastValues = key, w.entries[key]
		}
		if got.Token.Merge(token).String() != got.Token.String() {
			w.Fatalf("a page at %+v after one at %+v", got.Token, token)
		}
		token = got.Token
		if query.Cursor = got.NextCursor; query.Cursor == "" {
			break
		}
		w.between(touched)
	}
	for _, key := range throughout {
		if !touched[key] && seen[key] != 1 {
			w.Fatalf("%s came %d times", key, seen[key])
		}
	}
	for key := range seen {
		if !touched[key] && !slices.Contains(throughout, key) {
			w.Fatalf("%s came without being in the view", key)
		}
	}
}

// between is what happens between two pages.
func (w *viewWorld) between(touched map[string]bool) {
	for range rapid.IntRange(0, 3).Draw(w.T, "happenings") {
		switch rapid.SampledFrom([]string{"write", "write", "move", "split", "catch up", "replace"}).Draw(w.T, "between") {
		case "write":
			touched[string(w.write())] = true
		case "move":
			w.move()
		case "split":
			w.split()
		case "catch up":
			w.topology.CatchUp()
		case "replace":
			if rapid.IntRange(0, 5).Draw(w.T, "rarely") == 0 {
				w.replaceView()
			}
		}
	}
}
