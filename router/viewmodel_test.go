package router_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// values are an entry's attributes by name; those that are absent are not in
// it.
type values map[string]cairn.Value

// condition is a filter or a where, and what it means.
type condition struct {
	text string
	is   func(values) bool
}

func everything(values) bool { return true }

// conditions are true of an entry only if what they name is there.
var conditions = []condition{
	{"", everything},
	{"size >= 3", func(v values) bool { return has(v, "size") && v["size"].Int() >= 3 }},
	{"size < 7", func(v values) bool { return has(v, "size") && v["size"].Int() < 7 }},
	{`colour == "red" || live`, func(v values) bool {
		return has(v, "colour") && v["colour"].Text() == "red" || has(v, "live") && v["live"].Bool()
	}},
	{"!live", func(v values) bool { return has(v, "live") && !v["live"].Bool() }},
	{"!has(weight)", func(v values) bool { return !has(v, "weight") }},
	{`note == "n"`, func(v values) bool { return has(v, "note") && v["note"].Text() == "n" }}, // not of a view's filter
}

func has(v values, name string) bool { _, found := v[name]; return found }

var sorts = [][]string{{}, {"size"}, {"-size"}, {"colour", "-size"}, {"-weight"}, {"live", "colour", "-weight", "size"}}

// viewWorld is a keyspace with a view beside a flat model of both.
type viewWorld struct {
	*rapid.T
	bed      *bed.Bed
	topology *bed.Topology
	router   *router.Router
	keyspace string
	entries  map[string]values
	view     catalog.View
	filter   condition
	sort     []string
	mu       sync.Mutex // guards down, which indexes read: a question may outlive its caller
	down     map[string]bed.Fault
}

const theView = "the-view"

func newViewWorld(t *rapid.T, clusters, shards int) *viewWorld {
	b, err := bed.New(clusters, shards)
	if err != nil {
		t.Fatal(err)
	}
	w := &viewWorld{T: t, bed: b, topology: b.Topology(), entries: map[string]values{}, down: map[string]bed.Fault{}}
	w.keyspace = rapid.SampledFrom([]string{bed.Things, bed.Ordered}).Draw(t, "keyspace")
	declared, _ := b.Map().Catalog().KeyspaceByName(w.keyspace)
	w.view = catalog.View{UID: 77, Name: theView, Keyspace: declared.UID}
	b.Faults = func(cluster string, call bed.Call) bed.Fault {
		if call == bed.CallView || call == bed.CallStatus || call == bed.CallListening {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.down[cluster]
		}
		return bed.None
	}
	if w.router, err = router.New(router.Config{Topology: w.topology, Dial: b.Dial, Timeout: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.router.Close)
	w.replaceView()
	w.topology.CatchUp()
	return w
}

// replaceView makes a new version of the view the one that serves.
func (w *viewWorld) replaceView() {
	w.filter = rapid.SampledFrom(conditions[:len(conditions)-1]).Draw(w.T, "filter")
	w.sort = rapid.SampledFrom(sorts).Draw(w.T, "sort")
	version := &catalog.ViewVersion{Number: 1, Filter: w.filter.text}
	if w.view.Serving != nil {
		version.Number = w.view.Serving.Number + 1
	}
	schema := w.schema()
	for _, name := range w.sort {
		attribute, descending := strings.CutPrefix(name, "-")
		spec, _ := schema.ByName(attribute)
		version.Sort = append(version.Sort, cairn.SortField{Attribute: spec.ID, Descending: descending})
	}
	w.view.Serving, w.view.Fields = version, nil
	if rapid.Bool().Draw(w.T, "declares-fields") {
		w.view.Fields = []cairn.AttributeID{1, 2}
	}
	if err := w.bed.SetView(w.view); err != nil {
		w.Fatal(err)
	}
	w.bed.NoteAll() // no index knows the version before any more
}

func (w *viewWorld) schema() *cairn.Schema {
	declared, _ := w.bed.Map().Catalog().KeyspaceByUID(w.view.Keyspace)
	return declared.Schema
}

func (w *viewWorld) key() cairn.Key {
	return fmt.Appendf(nil, "k%03d:%d", rapid.IntRange(0, 40).Draw(w.T, "key")*25, rapid.IntRange(0, 2).Draw(w.T, "part"))
}

// write puts or deletes one entry, and returns its key.
func (w *viewWorld) write() cairn.Key {
	key := w.key()
	if rapid.IntRange(0, 4).Draw(w.T, "delete") == 0 {
		if _, _, err := w.router.Delete(context.Background(), w.keyspace, key, cairn.Condition{}, cairn.RequestID{}); err != nil {
			w.Fatal(err)
		}
		delete(w.entries, string(key))
		return key
	}
	v := values{}
	maybe := func(name string, draw func() cairn.Value) {
		if rapid.IntRange(0, 3).Draw(w.T, name+"-absent") > 0 {
			v[name] = draw()
		}
	}
	maybe("size", func() cairn.Value { return cairn.Int(rapid.Int64Range(-5, 10).Draw(w.T, "size")) })
	maybe("live", func() cairn.Value { return cairn.Bool(rapid.Bool().Draw(w.T, "live")) })
	maybe("colour", func() cairn.Value { return w.text("red", "green", "") })
	maybe("note", func() cairn.Value { return w.text("n", "m") })
	maybe("weight", func() cairn.Value {
		weight, err := cairn.Float(rapid.SampledFrom([]float64{-1.5, 0, 0.25, 1e10, math.Copysign(0, -1)}).Draw(w.T, "weight"))
		if err != nil {
			w.Fatal(err)
		}
		return weight
	})
	w.put(key, v)
	return key
}

func (w *viewWorld) put(key cairn.Key, v values) {
	put := cairn.Write{Operation: cairn.Put, Key: key, Attributes: named(v)}
	if _, _, err := w.router.Put(context.Background(), w.keyspace, put, cairn.RequestID{}); err != nil {
		w.Fatal(err)
	}
	w.entries[string(key)] = v
}

func (w *viewWorld) text(of ...string) cairn.Value {
	text, err := cairn.String(rapid.SampledFrom(of).Draw(w.T, "text"))
	if err != nil {
		w.Fatal(err)
	}
	return text
}

func named(v values) (out cairn.NamedValues) {
	for name, value := range v {
		out = append(out, cairn.NamedValue{Name: name, Value: value})
	}
	out.Sort()
	return out
}

// owner is the cluster of a key, whatever the router's map says.
func (w *viewWorld) owner(key string) string { return w.ownerBy(w.bed.Map(), key) }

func (w *viewWorld) ownerBy(m *shardmap.Map, key string) string {
	declared, _ := m.Catalog().KeyspaceByUID(w.view.Keyspace)
	shard, _ := m.Lookup(declared.UID, placement.Key(declared.Placement, cairn.Key(key), nil))
	cluster, _ := m.Catalog().ClusterByUID(shard.Cluster)
	return cluster.Name
}

// members are the keys of the view of which a condition is true, in an order,
// but for those of some clusters: by the router's map, which nobody corrects
// where the cluster that could is down.
func (w *viewWorld) members(where condition, orderBy []string, missing []cairn.MissingCluster) []string {
	var keys []string
	for key, v := range w.entries {
		away := slices.ContainsFunc(missing, func(c cairn.MissingCluster) bool { return c.Cluster == w.ownerBy(w.topology.Map(), key) })
		if w.filter.is(v) && where.is(v) && !away {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return w.compare(orderBy, a, w.entries[a], b, w.entries[b]) })
	return keys
}

// compare orders two entries: absent values last, ties by key.
func (w *viewWorld) compare(orderBy []string, keyA string, a values, keyB string, b values) int {
	if len(orderBy) == 0 {
		orderBy = w.sort
	}
	for _, name := range orderBy {
		name, descending := strings.CutPrefix(name, "-")
		switch {
		case has(a, name) && !has(b, name):
			return -1
		case !has(a, name) && has(b, name):
			return 1
		case !has(a, name):
			continue
		}
		order := a[name].Compare(b[name])
		if descending {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(keyA, keyB)
}

func (w *viewWorld) move() {
	m := w.bed.Map()
	shards := slices.Collect(m.Shards(w.view.Keyspace))
	clusters := m.Catalog().Clusters()
	shard := shards[rapid.IntRange(0, len(shards)-1).Draw(w.T, "shard")]
	to := clusters[rapid.IntRange(0, len(clusters)-1).Draw(w.T, "to")]
	if err := w.bed.Move(w.view.Keyspace, shard.ID, to.UID); err != nil {
		w.Fatal(err)
	}
}

func (w *viewWorld) split() {
	if w.keyspace != bed.Ordered {
		return
	}
	at := fmt.Appendf(nil, "k%03d", rapid.IntRange(0, 999).Draw(w.T, "at"))
	for shard := range w.bed.Map().Shards(w.view.Keyspace) {
		if shard.Contains(at) && string(shard.Start) != string(at) {
			if err := w.bed.Split(w.view.Keyspace, shard.ID, at); err != nil {
				w.Fatal(err)
			}
			return
		}
	}
}

func (w *viewWorld) selection(where condition) cairn.Selection {
	level := rapid.SampledFrom([]cairn.Level{cairn.Eventual, cairn.AtLeast, cairn.Linearizable}).Draw(w.T, "level")
	return cairn.Selection{View: theView, Where: where.text, Freshness: cairn.Freshness{Level: level}, Partial: rapid.Bool().Draw(w.T, "partial")}
}

func (w *viewWorld) where() condition { return rapid.SampledFrom(conditions).Draw(w.T, "where") }

// refused checks an error: there is one only while a cluster is down that the
// answer can't be without, and it names one.
func (w *viewWorld) refused(selection cairn.Selection, err error) {
	w.Helper()
	if len(w.down) == 0 || selection.Partial && len(w.down) < len(w.topology.Map().Owners(w.view.Keyspace)) {
		w.Fatalf("an error although enough clusters are there: %v", err)
	}
	for name := range w.down {
		if strings.Contains(err.Error(), name) {
			return
		}
	}
	w.Fatalf("the error names none of %v: %v", slices.Collect(maps.Keys(w.down)), err)
}

// incomplete checks what an answer is without.
func (w *viewWorld) incomplete(selection cairn.Selection, scattered cairn.Scattered) {
	w.Helper()
	for _, each := range scattered.Missing {
		if w.down[each.Cluster] == bed.None || !selection.Partial || each.Err == nil {
			w.Fatalf("without %s: %v; down are %v", each.Cluster, each.Err, w.down)
		}
	}
}

func checkViews(t *testing.T, check func(w *viewWorld)) {
	rapid.Check(untimed{t}, func(t *rapid.T) {
		check(newViewWorld(t, rapid.IntRange(1, 4).Draw(t, "clusters"), rapid.IntRange(1, 8).Draw(t, "shards")))
	})
}
