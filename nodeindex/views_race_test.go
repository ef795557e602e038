package nodeindex

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/projection"

	"go.etcd.io/bbolt"
)

// unindexedNames makes the test keyspace's names an attribute without index.
func unindexedNames(t *testing.T, a *cairn.Assignment) {
	t.Helper()
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "name", Type: cairn.TypeString, Unindexed: true},
		{ID: 2, Name: "size", Type: cairn.TypeInt},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Keyspaces[0].Schema = schema
}

// TestEntriesAreOfTheSnapshot writes, or sets aside for a checkpoint and
// writes, between the two things that a question reads.
func TestEntriesAreOfTheSnapshot(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("frozen=%v", frozen), func(t *testing.T) {
			a := testAssignment(t, cairn.SchemeHash, 4)
			unindexedNames(t, &a)
			r := viewed(t, &a, cairn.View{Filter: "size >= 900"})
			if frozen {
				r.write(put(testKey(900), size(900), name("ada"))) // so that the overlay has a table
			}
			opened := 0
			open := func() (projection.Entries, error) {
				entries, err := r.x.openEntries(testKeyspace)
				if opened++; opened == 1 {
					if frozen {
						c, err := r.x.Freeze()
						if err != nil {
							t.Fatal(err)
						}
						defer c.Discard()
					}
					r.write(put(testKey(901), size(5000), name("new")))
				}
				return entries, err
			}
			var reply cairn.ViewReply
			req := askPage(a.Views[0], nil, 10)
			applied, _ := r.x.Position()
			if err := r.x.state.Load().projections[testKeyspace].Ask(applied, req, &reply, open); err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(reply.Rows, func(row cairn.ViewRow) bool { return string(row.Key) == testKey(901) })
			got := reply.Rows[at].Attributes.String()
			before, after := attributes(size(901), name("bela")).String(), attributes(size(5000), name("new")).String()
			if reply.Index == r.index && got != after || reply.Index < r.index && got != before {
				t.Errorf("at index %d of %d the row is %s", reply.Index, r.index, got)
			}
		})
	}
}

// allKeys pages through the whole first view.
func (r *replica) allKeys() (keys []string) {
	r.t.Helper()
	var after *cairn.Position
	for {
		reply := r.mustAsk(cairn.ViewRequest{Asked: cairn.AskPage, Limit: 100, After: after})
		for _, row := range reply.Rows {
			keys = append(keys, string(row.Key))
		}
		if !reply.More {
			return keys
		}
		after = &reply.Rows[len(reply.Rows)-1].Position
	}
}

// wantAllKeys fails unless the first view, of all entries by key, has exactly
// the keys up to n, each once.
func (r *replica) wantAllKeys(n int) {
	r.t.Helper()
	keys := r.allKeys()
	for i := range min(n, len(keys)) {
		if keys[i] != testKey(i) {
			r.t.Fatalf("row %d of %d is %q, want %s", i, len(keys), keys[i], testKey(i))
		}
	}
	if len(keys) != n {
		r.t.Fatalf("%d rows, want %d", len(keys), n)
	}
}

// awayAndBack has all shards leave and come back, and all entries put again.
func (r *replica) awayAndBack(a *cairn.Assignment, entries int) {
	shards := a.Shards
	a.Revision, a.Shards = a.Revision+1, nil
	r.assign(*a)
	a.Revision++
	for _, s := range shards {
		s.Epoch = a.Revision
		a.Shards = append(a.Shards, s)
	}
	r.assign(*a)
	for first := 0; first < entries; first += 1000 {
		var batch []cairn.Mutation
		for i := first; i < min(first+1000, entries); i++ {
			batch = append(batch, put(testKey(i)))
		}
		r.write(batch...)
	}
}

const manyEntries = 5000

// TestImageOfShardsThatCameBack restarts from an image with entries that left
// with their shards, and whose keys came back under other ordinals.
func TestImageOfShardsThatCameBack(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{})
	r.awayAndBack(&a, manyEntries)
	r.settle()
	if err := r.x.SaveViews(); err != nil {
		t.Fatal(err)
	}
	r.awayAndBack(&a, manyEntries)
	r.checkpoint()
	r.close()
	r.open(Options{ImageEntries: 100})
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantAllKeys(manyEntries)
}

// TestFillWhileShardsComeBack has shards leave and come back twice before the
// views that are made notice.
func TestFillWhileShardsComeBack(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 4)
	r.assign(a)
	r.write(put(testKey(0), size(0))) // views of no entries serve at once
	a.Views = []cairn.View{{UID: 1, Keyspace: testKeyspace, Version: 1}}
	a.Revision++
	r.assign(a)
	r.checkpoint()
	r.awayAndBack(&a, manyEntries)
	r.awayAndBack(&a, manyEntries)
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantAllKeys(manyEntries)
}

// TestFillAfterMoreThanItKeeps has views made of more entries than changes are
// kept of, all of them put since it is known that views are to be made.
func TestFillAfterMoreThanItKeeps(t *testing.T) {
	if testing.Short() {
		t.Skip("it puts 70,000 entries")
	}
	const entries = 70_000
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 4)
	r.assign(a)
	r.write(put(testKey(0), size(0))) // views of no entries serve at once
	a.Views = []cairn.View{{UID: 1, Name: "v", Keyspace: testKeyspace, Version: 1}}
	a.Revision++
	r.assign(a)
	for first := 0; first < entries; first += 1000 {
		var batch []cairn.Mutation
		for i := range 1000 {
			batch = append(batch, put(testKey(first+i), size(int64(i))))
		}
		r.write(batch...)
	}
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ask(cairn.ViewRequest{Asked: cairn.AskCount}); cairn.ReasonOf(err) != "VIEW_BUILDING" || !r.x.CheckpointWanted() {
		t.Errorf("views of entries that are not in the file: %v", err)
	}
	r.checkpoint()
	r.write(remove(testKey(entries-1)), remove(testKey(0)), put(testKey(0), size(1)))
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantAllKeys(entries - 1)
}

// TestImageOfARunningCheckpoint saves images while a checkpoint is written that
// names an earlier one, which neither the last one nor the present state does.
func TestImageOfARunningCheckpoint(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{})
	if err := r.x.SaveViews(); err != nil {
		t.Fatal(err)
	}
	c, err := r.x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		r.write(put(testKey(i), size(7)))
	}
	if err := r.x.SaveViews(); err != nil {
		t.Fatal(err)
	}
	index, term := c.Position()
	if err := c.Write(CheckpointMeta{Index: index, Term: term}); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.open(Options{ImageEntries: 100})
	if err := r.x.FillViews(t.Context()); err != nil {
		t.Error(err)
	}
}
func TestRefusedViewAlone(t *testing.T) {
	r := openReplica(t, Options{ImageEntries: 100})
	a := testAssignment(t, cairn.SchemeHash, 4)
	twice := []cairn.SortField{{Attribute: 2}, {Attribute: 2, Descending: true}}
	a.Views = []cairn.View{
		{UID: 1, Name: "good", Keyspace: testKeyspace, Version: 1},
		{UID: 2, Name: "bad", Keyspace: testKeyspace, Version: 1, Sort: twice},
	}
	r.assign(a)
	r.write(put(testKey(0), size(1)))
	r.settle()
	r.wantAllKeys(1)
}

// TestDamagedEntries has views that can't be made of their entries tried again
// after pauses, and those of another keyspace made meanwhile.
func TestDamagedEntries(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := &replica{t: t, dir: t.TempDir()}
	r.open(Options{Now: func() time.Time { return now }})
	a := testAssignment(t, cairn.SchemeHash, 4)
	r.assign(a)
	r.write(put(testKey(0), size(1)))
	r.checkpoint()
	err := r.x.db.Update(func(tx *bbolt.Tx) error {
		key, records := tx.Bucket(bucketBundles).Cursor().First()
		damaged := bytes.Clone(records)
		damaged[len(damaged)-1] ^= 1 // in a sum
		return tx.Bucket(bucketBundles).Put(bytes.Clone(key), damaged)
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Revision++
	a.Views = []cairn.View{{UID: 1, Name: "v", Keyspace: testKeyspace, Version: 1}}
	r.assign(a)
	r.checkpoint() // has readers see the damage
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		err := r.x.FillViews(t.Context())
		wantError(t, err, cairn.KindCorrupt, "RECORD_CHECKSUM")
		if want := "tried again in " + pause.String(); !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say that it is %s", err, want)
		}
		now = now.Add(pause - 1)
		if err := r.x.FillViews(t.Context()); err != nil {
			t.Errorf("tried again within %s: %v", pause, err)
		}
		now = now.Add(1)
	}
	if err := r.x.Close(); err != nil {
		t.Error(err)
	}
}

func TestExportSaysWhy(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 4)
	a.Views = []cairn.View{{UID: 2, Keyspace: testKeyspace, Version: 1, Filter: "nobody > 1"}}
	r.assign(a)
	export := func(view cairn.UID) error {
		return r.x.ExportView(&cairn.ExportRequest{Read: cairn.Read{Keyspace: testKeyspace}, View: view, Version: 1},
			func(cairn.ExportPiece) error { return nil })
	}
	wantError(t, export(2), cairn.KindPrecondition, "VIEW_REFUSED")
}

func TestDroppedProjection(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{})
	dropped := r.x.state.Load().projections[testKeyspace]
	view := a.Views[0]
	a.Revision, a.Views = a.Revision+1, nil
	r.assign(a)
	r.write(put(testKey(0), size(77)))
	var reply cairn.ViewReply
	err := dropped.Ask(r.index, askPage(view, nil, 1), &reply, nil)

	wantError(t, err, cairn.KindNotFound, "VIEW_VERSION_UNKNOWN")
}

func TestOtherAttributesThanTheImage(t *testing.T) {
	a := testAssignment(t, cairn.SchemeHash, 4)
	r := viewed(t, &a, cairn.View{Filter: "size >= 900"})
	if err := r.x.SaveViews(); err != nil {
		t.Fatal(err)
	}
	unindexedNames(t, &a)
	a.Revision++
	r.assign(a)
	r.settle()
}
