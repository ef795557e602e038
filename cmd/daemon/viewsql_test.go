package daemon

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// TestViewsAgainstSQL runs the whole stack, two clusters of it, beside SQLite:
// the same entries, and questions drawn at random, spelled for both. The seed
// is printed; CAIRN_SEED repeats a run, CAIRN_ROUNDS asks for more of them.
func TestViewsAgainstSQL(t *testing.T) {
	db := openSQLite(t)
	seed := numberFrom("CAIRN_SEED", uint64(time.Now().UnixNano()))
	rounds := numberFrom("CAIRN_ROUNDS", 3)
	t.Logf("CAIRN_SEED=%d CAIRN_ROUNDS=%d", seed, rounds)

	data := t.TempDir()
	stack := startStack(t, data)
	defer func() { stack.end() }()
	stack.apply(cluster("north"), cluster("south"))
	for round := range rounds {
		w := &sqlWorld{
			t: t, db: db, random: rand.New(rand.NewPCG(seed, round)),
			name: "round-" + strconv.FormatUint(round, 10), entries: map[string]sqlEntry{},
		}
		w.run(stack)
		// All of it is there again after a restart.
		stack.end()
		stack = startStack(t, data)
		w.client = stack.client
		for i := range w.views {
			stack.awaitView(w.views[i].name)
			w.compareAll(i)
		}
	}
}

// stack is a development stack in the test's process.
type stack struct {
	*caller
	client *client.Client
	cancel context.CancelFunc
	ended  chan error
}

func startStack(t *testing.T, data string) *stack {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &stack{cancel: cancel, ended: make(chan error, 1)}
	ready := make(chan Addresses, 1)
	go func() {
		s.ended <- RunDev(ctx, DevConfig{Data: data, Common: Common{
			Listen: anyPort, HTTP: anyPort, Ready: func(at Addresses) { ready <- at },
		}})
	}()
	var at Addresses
	select {
	case at = <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	s.caller = call(t, at.Listen)
	router, err := client.Dial(at.Listen, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.client = router
	return s
}

func (s *stack) end() {
	s.t.Helper()
	s.client.Close()
	s.cancel()
	if err := <-s.ended; err != nil {
		s.t.Error(err)
	}
}

// awaitView waits until the declared version of a view answers.
func (s *stack) awaitView(name string) {
	s.t.Helper()
	eventually(s.t, "view "+name+" serves", func() bool {
		view, err := s.admin.GetView(s.context(), &cairnv1.GetViewRequest{Name: "views/" + name})
		return err == nil && view.State == cairnv1.View_SERVING && view.Problem == ""
	})
}

func numberFrom(variable string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(variable), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// sqlEntry is an entry's attributes; an absent one is not in it.
type sqlEntry map[string]cairn.Value

// sqlWorld is a keyspace with views, and a table with the same entries.
type sqlWorld struct {
	t       *testing.T
	db      *sqlite
	client  *client.Client
	random  *rand.Rand
	name    string
	fields  []sqlField
	views   []sqlView
	entries map[string]sqlEntry
	token   cairn.Token
}

// sqlView is a view: as it is declared, and as SQL.
type sqlView struct {
	name   string
	filter condition
	sort   []string
}

func (w *sqlWorld) run(s *stack) {
	w.client = s.client
	w.drawSchema()
	// One view is there before the first entry, the others come to entries.
	w.declare(s, 0)
	w.writeSome(400)
	w.declare(s, 1)
	w.declare(s, 2)
	for range 12 {
		w.writeSome(30)
		for i := range w.views {
			w.compareAll(i)
		}
	}
	w.comparePagesWhileWritesGoOn()
}

func (w *sqlWorld) compareAll(view int) {
	w.t.Helper()
	w.comparePages(view)
	w.compareCounts(view)
	w.compareGroups(view)
	w.compareAggregates(view)
}

// drawSchema draws attributes of every type, and makes the table.
func (w *sqlWorld) drawSchema() {
	types := []cairn.Type{cairn.TypeString, cairn.TypeInt, cairn.TypeFloat, cairn.TypeBool, cairn.TypeTimestamp}
	for i := range 5 + w.random.IntN(3) {
		kind := types[i%len(types)]
		w.fields = append(w.fields, sqlField{name: fmt.Sprintf("%s_%d", kind, i), kind: kind, few: w.random.IntN(2) == 0})
	}
	var columns []string
	for _, f := range w.fields {
		columns = append(columns, f.name)
	}
	w.db.run(fmt.Sprintf("DROP TABLE IF EXISTS entries; CREATE TABLE entries (key BLOB PRIMARY KEY, %s);", strings.Join(columns, ", ")))
}

// declare declares another view, and the keyspace with the first, and waits
// until it serves.
func (w *sqlWorld) declare(s *stack, number int) {
	w.t.Helper()
	keyspace := &cairnv1.Keyspace{
		Name:       "keyspaces/" + w.name,
		Placement:  &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: 8},
		Attributes: map[string]*cairnv1.Attribute{},
	}
	for _, f := range w.fields {
		keyspace.Attributes[f.name] = &cairnv1.Attribute{Type: cairnv1.Attribute_Type(f.kind)}
	}
	v := sqlView{name: fmt.Sprintf("%s-%d", w.name, number), sort: w.drawSort()}
	if number > 0 {
		v.filter = w.drawCondition(2)
	}
	w.views = append(w.views, v)
	s.apply(
		&cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: keyspace}},
		&cairnv1.Resource{Resource: &cairnv1.Resource_View{View: &cairnv1.View{
			Name: "views/" + v.name, Keyspace: keyspace.Name, Filter: v.filter.cel, Sort: v.sort,
		}}},
	)
	s.awaitView(v.name)
}

// writeSome puts and deletes some entries, in both.
func (w *sqlWorld) writeSome(n int) {
	w.t.Helper()
	writes := make([]cairn.Write, 0, n)
	var script strings.Builder
	script.WriteString("BEGIN;\n")
	for range n {
		key := w.drawKey()
		literal := "x'" + hex.EncodeToString(key) + "'"
		if w.entries[string(key)] != nil && w.random.IntN(4) == 0 {
			writes = append(writes, cairn.Write{Operation: cairn.Delete, Key: key})
			delete(w.entries, string(key))
			fmt.Fprintf(&script, "DELETE FROM entries WHERE key = %s;\n", literal)
			continue
		}
		entry, values := w.drawEntry()
		writes = append(writes, cairn.Write{Operation: cairn.Put, Key: key, Attributes: values})
		w.entries[string(key)] = entry
		columns := []string{literal}
		for _, f := range w.fields {
			columns = append(columns, literalOf(entry[f.name]))
		}
		fmt.Fprintf(&script, "REPLACE INTO entries VALUES (%s);\n", strings.Join(columns, ", "))
	}
	script.WriteString("COMMIT;")
	w.db.run(script.String())
	outcomes, token, err := w.client.BatchWrite(w.t.Context(), w.name, writes, cairn.RequestID{})
	if err != nil {
		w.t.Fatal(err)
	}
	for i, out := range outcomes {
		if out.Err != nil {
			w.t.Fatalf("write of %s: %v", writes[i].Key, out.Err)
		}
	}
	w.token = w.token.Merge(token)
}

// selection draws a question about a view, and what it is in SQL.
func (w *sqlWorld) selection(view int) (cairn.Selection, string) {
	v := &w.views[view]
	sel := cairn.Selection{View: v.name, Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: w.token}}
	var parts []string
	if v.filter.sql != "" {
		parts = append(parts, "("+v.filter.sql+")")
	}
	if w.random.IntN(3) > 0 {
		where := w.drawCondition(1 + w.random.IntN(2))
		sel.Where = where.cel
		parts = append(parts, "("+where.sql+")")
	}
	if len(parts) == 0 {
		return sel, ""
	}
	return sel, " WHERE " + strings.Join(parts, " AND ")
}

// orderOf is a sort in SQL: absent values last in either direction, then keys.
func orderOf(sort []string) string {
	var parts []string
	for _, field := range sort {
		name, descending := strings.CutPrefix(field, "-")
		parts = append(parts, name+" IS NULL")
		if descending {
			name += " DESC"
		}
		parts = append(parts, name)
	}
	return " ORDER BY " + strings.Join(append(parts, "key"), ", ")
}

func (w *sqlWorld) comparePages(view int) {
	w.t.Helper()
	sel, where := w.selection(view)
	query := cairn.PageQuery{Selection: sel}
	sort := w.views[view].sort
	if w.random.IntN(2) == 0 {
		query.OrderBy = w.drawSort()
		if len(query.OrderBy) > 0 {
			sort = query.OrderBy
		}
	}
	asked := fmt.Sprintf("%+v of %+v", query, w.views[view])
	want := w.db.column("SELECT hex(key) FROM entries" + where + orderOf(sort))
	if w.random.IntN(2) == 0 {
		query.Offset = w.random.IntN(len(want) + 3)
		want = want[min(query.Offset, len(want)):]
	}
	var got []string
	for {
		query.Limit = 1 + w.random.IntN(60)
		page, err := w.client.QueryView(w.t.Context(), query)
		if err != nil {
			w.t.Fatalf("%s: %v", asked, err)
		}
		for _, row := range page.Rows {
			got = append(got, strings.ToUpper(hex.EncodeToString(row.Key)))
			w.compareRow(row)
		}
		if page.NextCursor == "" {
			break
		}
		query.Cursor, query.Offset = page.NextCursor, 0
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("%s%s has the keys\n%v, in SQL\n%v", asked, where, got, want)
	}
}

// compareRow holds a row's attributes against what was written.
func (w *sqlWorld) compareRow(row cairn.NamedRow) {
	w.t.Helper()
	entry := w.entries[string(row.Key)]
	if got := row.Attributes.Sorted(); len(got) != len(entry) {
		w.t.Fatalf("key %s has %v, want %v", row.Key, got, entry)
	}
	for name, want := range entry {
		if got, found := row.Attributes.Get(name); !found || got.Compare(want) != 0 {
			w.t.Fatalf("key %s: %s is %v, want %v", row.Key, name, got, want)
		}
	}
}
