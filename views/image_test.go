package views

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"cairn"
	"cairn/views/filter"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// written is projections, their model, and what is defined.
type written struct {
	views       *Views
	model       *model
	definitions []*Definition
}

func newWritten() *written {
	v := New(testSchema)
	v.foldLeast = 20
	return &written{views: v, model: &model{entries: map[uint32]*modelEntry{}, hidden: map[cairn.ShardID]bool{}}}
}

func (w *written) define(t *rapid.T, version uint64) {
	d := &Definition{View: 1, Version: version, Filter: parse(t, rapid.SampledFrom(viewFilters).Draw(t, "filter"), filter.View),
		Sort: rapid.SampledFrom(sorts).Draw(t, "sort")}
	if err := w.views.Define(*d); err != nil {
		t.Fatal(err)
	}
	w.definitions = append(w.definitions, d)
}

// change puts and deletes some entries, and notes which. An ordinal that was
// freed is another entry's then.
func (w *written) change(t *rapid.T, dirty *roaring.Bitmap) {
	for range rapid.IntRange(0, 60).Draw(t, "changes") {
		low := rapid.Uint32Range(0, 400).Draw(t, "ordinal")
		ordinal := low + low%3<<16
		dirty.Add(ordinal)
		old := w.model.entries[ordinal]
		if old != nil && rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			w.views.Delete(ordinal, old.shard)
			delete(w.model.entries, ordinal)
			continue
		}
		e := &modelEntry{ordinal: ordinal, attributes: anyAttributes(t)}
		if old != nil {
			e.shard, e.key = old.shard, old.key
		} else {
			e.shard = cairn.ShardID(rapid.IntRange(1, 3).Draw(t, "shard"))
			e.key = cairn.Key(fmt.Sprintf("%0*d.%d", rapid.IntRange(1, 30).Draw(t, "length"), ordinal^77, rapid.IntRange(0, 1).Draw(t, "other")))
		}
		w.model.entries[ordinal] = e
		w.views.Put(ordinal, e.shard, e.key, e.attributes)
	}
}

// shards are the ordinals of each shard.
func (m *model) shards() map[cairn.ShardID]*roaring.Bitmap {
	out := map[cairn.ShardID]*roaring.Bitmap{}
	for ordinal, e := range m.entries {
		if out[e.shard] == nil {
			out[e.shard] = roaring.New()
		}
		out[e.shard].Add(ordinal)
	}
	return out
}

// finish brings what was restored up to the model, and compares.
func (w *written) finish(t *rapid.T, r *Restored, dirty *roaring.Bitmap, definitions []*Definition) *Views {
	r.Forget(dirty)
	for it := dirty.Iterator(); it.HasNext(); {
		if e := w.model.entries[it.Next()]; e != nil {
			if err := r.Put(e.ordinal, e.key, e.attributes); err != nil {
				t.Fatal(err)
			}
		}
	}
	v, err := r.withShards(w.model.shards())
	if err != nil {
		t.Fatal(err)
	}
	for id := range w.model.hidden {
		v.HideShard(id)
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	for v.Build(37) {
		continue
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	w.model.compare(t, v.Snapshot(), definitions)
	return v
}

func save(t rapid.TB, s *Snapshot) []byte {
	t.Helper()
	var image bytes.Buffer
	if err := s.Save(&image); err != nil {
		t.Fatal(err)
	}
	return image.Bytes()
}

func plain(definitions []*Definition) (out []Definition) {
	for _, d := range definitions {
		out = append(out, *d)
	}
	return out
}

// TestImageIsTheMaintainedState writes an image amid changes, reads it for
// definitions some of which changed meanwhile, and brings it up to date.
func TestImageIsTheMaintainedState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWritten()
		for version := range rapid.Uint64Range(0, 4).Draw(t, "views") {
			w.define(t, version)
		}
		gathers := rapid.Bool().Draw(t, "gather")
		for range rapid.IntRange(0, 3).Draw(t, "rounds") {
			w.change(t, roaring.New())
			w.views.Snapshot()
			if gathers { // from the second round on
				w.views.GatherShard(3)
				w.model.hidden[3] = true
			}
		}
		if rapid.Bool().Draw(t, "settle") {
			w.views.SettleShard(3)
			w.views.Build(rapid.IntRange(0, 200).Draw(t, "folded"))
		}
		if rapid.Bool().Draw(t, "show") {
			w.views.ShowShard(3)
			delete(w.model.hidden, 3)
		}
		complete := map[uint64]bool{}
		if rapid.Bool().Draw(t, "late view") {
			w.define(t, 10)
			w.views.Build(rapid.IntRange(0, 200).Draw(t, "steps"))
		}
		for _, p := range w.views.Progress() {
			complete[p.Version] = p.Complete
		}
		if rapid.Bool().Draw(t, "hide") {
			w.views.HideShard(2)
			w.model.hidden[2] = true
		}
		s := w.views.Snapshot()
		dirty := roaring.New()
		w.change(t, dirty)
		image := save(t, s)

		definitions := make([]*Definition, 0, len(w.definitions))
		for _, d := range w.definitions {
			switch rapid.SampledFrom([]string{"same", "same", "dropped", "filter", "sort"}).Draw(t, "since") {
			case "same":
				definitions = append(definitions, d)
			case "filter":
				other := *d
				other.Filter = parse(t, "size == 77", filter.View)
				definitions, complete[d.Version] = append(definitions, &other), false
			case "sort":
				other := *d
				other.Sort = []SortField{{Attribute: lit, Descending: true}, {Attribute: name}}
				definitions, complete[d.Version] = append(definitions, &other), false
			}
		}
		if rapid.Bool().Draw(t, "added") {
			definitions = append(definitions, &Definition{View: 2, Version: 20, Sort: []SortField{{Attribute: at}}})
		}
		r, err := Load(bytes.NewReader(image), testSchema, nil, plain(definitions))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.views.Progress() {
			if r.views.present.entries.size() > 0 && p.Complete != complete[p.Version] {
				t.Fatalf("version %d is complete: %v", p.Version, p.Complete)
			}
		}
		v := w.finish(t, r, dirty, definitions)
		// And what was read can be written again, and goes on being kept up.
		w.views, w.definitions = v, definitions
		w.change(t, roaring.New())
		r, err = Load(bytes.NewReader(save(t, v.Snapshot())), testSchema, nil, plain(definitions))
		if err != nil {
			t.Fatal(err)
		}
		w.finish(t, r, roaring.New(), definitions)
	})
}

// filled is projections that make use of all that an image can have.
func filled(t testing.TB, entries int) (*written, map[cairn.ShardID]*roaring.Bitmap) {
	t.Helper()
	w := newWritten()
	for version, sort := range sorts {
		d := &Definition{View: 1, Version: uint64(version), Sort: sort}
		if version < len(viewFilters) && viewFilters[version] != "" {
			var err error
			if d.Filter, err = filter.Parse(viewFilters[version], testSchema, filter.View, now); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.views.Define(*d); err != nil {
			t.Fatal(err)
		}
		w.definitions = append(w.definitions, d)
	}
	generated := rapid.Custom(anyAttributes)
	for i := range uint32(entries) {
		ordinal := i + i%3<<16
		e := &modelEntry{ordinal: ordinal, shard: cairn.ShardID(1 + i%2), key: cairn.Key(fmt.Sprintf("key %d", i)), attributes: generated.Example(int(i))}
		w.model.entries[ordinal] = e
		w.views.Put(ordinal, e.shard, e.key, e.attributes)
	}
	for i := range uint32(entries) {
		if ordinal := i + i%3<<16; i%7 == 0 {
			w.views.Delete(ordinal, w.model.entries[ordinal].shard)
			delete(w.model.entries, ordinal)
		}
	}
	return w, w.model.shards()
}

func TestTruncatedImagesAreRefused(t *testing.T) {
	w, _ := filled(t, 60)
	image := save(t, w.views.Snapshot())
	for n := range image {
		_, err := Load(bytes.NewReader(image[:n]), testSchema, nil, plain(w.definitions))
		requireKind(t, err, cairn.KindCorrupt, "IMAGE_CORRUPT")
	}
}

func TestFlippedBitsAreRefused(t *testing.T) {
	w, _ := filled(t, 60)
	image := save(t, w.views.Snapshot())
	for i := range image {
		changed := bytes.Clone(image)
		changed[i] ^= 1 << (i % 8)
		_, err := Load(bytes.NewReader(changed), testSchema, nil, plain(w.definitions))
		requireKind(t, err, cairn.KindCorrupt, "IMAGE_CORRUPT")
	}
}

func requireKind(t *testing.T, err error, kind cairn.Kind, reason string) {
	t.Helper()
	if cairn.KindOf(err) != kind || cairn.ReasonOf(err) != reason {
		t.Fatalf("got %v, want %s", err, reason)
	}
}

func TestImageOfAnotherSchemaIsRefused(t *testing.T) {
	w, shards := filled(t, 100)
	image := save(t, w.views.Snapshot())
	specs := testSchema.Attributes()
	for what, change := range map[string]func([]cairn.AttributeSpec) []cairn.AttributeSpec{
		"dropped":    func(s []cairn.AttributeSpec) []cairn.AttributeSpec { return s[1:] },
		"another id": func(s []cairn.AttributeSpec) []cairn.AttributeSpec { s[0].ID = 99; return s },
		"unindexed":  func(s []cairn.AttributeSpec) []cairn.AttributeSpec { s[0].Unindexed = true; return s },
		"added": func(s []cairn.AttributeSpec) []cairn.AttributeSpec {
			return append(s, cairn.AttributeSpec{ID: 50, Name: "more", Type: cairn.TypeBool})
		},
		"other type": func(s []cairn.AttributeSpec) []cairn.AttributeSpec { s[0].Type = cairn.TypeBool; return s },
		"nothing":    func(s []cairn.AttributeSpec) []cairn.AttributeSpec { return s },
		"renamed":    func(s []cairn.AttributeSpec) []cairn.AttributeSpec { s[0].Name = "stamp"; return s },
		"unused more": func(s []cairn.AttributeSpec) []cairn.AttributeSpec {
			return append(s, cairn.AttributeSpec{ID: 50, Name: "more", Type: cairn.TypeBool, Unindexed: true})
		},
	} {
		schema, err := cairn.NewSchema(change(append([]cairn.AttributeSpec(nil), specs...)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Load(bytes.NewReader(image), schema, nil, nil)
		if what == "nothing" || what == "renamed" || what == "unused more" {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			} else if _, err := r.withShards(shards); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		requireKind(t, err, cairn.KindPrecondition, "IMAGE_SCHEMA")
	}
}

func TestShardsThatAreNotTheEntriesAreRefused(t *testing.T) {
	w, shards := filled(t, 100)
	r, err := Load(bytes.NewReader(save(t, w.views.Snapshot())), testSchema, nil, plain(w.definitions))
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(change func(map[cairn.ShardID]*roaring.Bitmap)) {
		t.Helper()
		other := maps.Clone(shards)
		change(other)
		_, err := r.withShards(other)
		requireKind(t, err, cairn.KindCorrupt, "IMAGE_SHARDS")
	}
	refuse(func(s map[cairn.ShardID]*roaring.Bitmap) { clear(s) })
	refuse(func(s map[cairn.ShardID]*roaring.Bitmap) { s[2] = roaring.New() })
	refuse(func(s map[cairn.ShardID]*roaring.Bitmap) { s[2] = roaring.Or(s[2], roaring.BitmapOf(7_000)) })
	refuse(func(s map[cairn.ShardID]*roaring.Bitmap) { s[3] = roaring.BitmapOf(s[2].Minimum()) })
	shards[3] = roaring.New()
	if _, err := r.withShards(shards); err != nil {
		t.Fatal(err)
	}
}

// TestShardsSetAgain has entries change their shard between one set of shards
// and the next, in one go and one shard at a time, which has some of them in two
// shards meanwhile.
func TestShardsSetAgain(t *testing.T) {
	for name, together := range map[string]bool{"together": true, "one after the other": false} {
		t.Run(name, func(t *testing.T) {
			w, shards := filled(t, 500)
			r, err := Load(bytes.NewReader(save(t, w.views.Snapshot())), testSchema, nil, plain(w.definitions))
			if err != nil {
				t.Fatal(err)
			}
			r.SetShards(shards)
			// Half of the first shard is the second's, and all of the second a new one's.
			moved := map[cairn.ShardID]*roaring.Bitmap{1: roaring.New(), 2: roaring.New(), 3: shards[2]}
			for it, i := shards[1].Iterator(), 0; it.HasNext(); i++ {
				moved[cairn.ShardID(1+i%2)].Add(it.Next())
			}
			moved[9] = roaring.New() // never was one
			if together {
				r.SetShards(moved)
			} else {
				for _, id := range []cairn.ShardID{3, 2, 1, 9} { // takers first
					r.SetShards(map[cairn.ShardID]*roaring.Bitmap{id: moved[id]})
				}
			}
			v, err := r.Views()
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Check(); err != nil {
				t.Fatal(err)
			}
			if n := len(v.shards); n != 3 {
				t.Errorf("%d shards, want 3", n)
			}
			for id, ordinals := range moved {
				if got := v.ShardOrdinals(id); !got.Equals(ordinals) {
					t.Errorf("shard %d has %d entries, want %d", id, got.GetCardinality(), ordinals.GetCardinality())
				}
			}
		})
	}
}

// TestKeysThatMovedSince brings an image up to a state in which every key has
// another ordinal and nothing else is different.
func TestKeysThatMovedSince(t *testing.T) {
	w, _ := filled(t, 1200)
	r, err := Load(bytes.NewReader(save(t, w.views.Snapshot())), testSchema, nil, plain(w.definitions))
	if err != nil {
		t.Fatal(err)
	}
	var all []*modelEntry
	changed := roaring.New()
	for ordinal, e := range w.model.entries {
		changed.Add(ordinal)
		all = append(all, e)
	}
	if len(all) > 0 {
		err := r.Put(all[0].ordinal, all[1].key, all[1].attributes)
		requireKind(t, err, cairn.KindPrecondition, "ORDINAL_TAKEN")
	}
	r.Forget(changed)
	ordinals := roaring.New()
	for i, e := range all {
		if err := r.Put(all[(i+1)%len(all)].ordinal, e.key, e.attributes); err != nil {
			t.Fatal(err)
		}
		ordinals.Add(e.ordinal)
	}
	v, err := r.withShards(map[cairn.ShardID]*roaring.Bitmap{4: ordinals})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
}
