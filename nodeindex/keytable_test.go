package nodeindex

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"cairn"
)

func keyTableOf(model map[string]string) *keyTable {
	return newKeyTable(len(model), math.MaxInt64, func(yield func(key, value []byte) bool) bool {
		for key, value := range model {
			if !yield([]byte(key), []byte(value)) {
				return false
			}
		}
		return true
	})
}

func checkKeyTable(t *rapid.T, table *keyTable, model map[string]string) {
	if table.count != len(model) {
		t.Fatalf("%d entries, want %d", table.count, len(model))
	}
	bytes := 24 * int64(len(table.pages))
	for key, value := range model {
		bytes += int64(8 + len(key) + len(value))
		if got := table.find([]byte(key)); string(got) != value {
			t.Fatalf("key %q has %q, want %q", key, got, value)
		}
		if longer := key + "x"; model[longer] == "" && table.find([]byte(longer)) != nil {
			t.Fatalf("key %q is not in the model", longer)
		}
	}
	var keys []cairn.Key
	for key := range model {
		keys = append(keys, cairn.Key(key), cairn.Key(key+"x"))
	}
	values := make([][]byte, len(keys))
	table.findAll(keys, values)
	for i, key := range keys {
		if got := table.find(key); string(got) != string(values[i]) || (got == nil) != (values[i] == nil) {
			t.Fatalf("together, key %q has %q; by itself %q", key, values[i], got)
		}
	}
	if table.bytes != bytes {
		t.Fatalf("counts %d bytes, want %d", table.bytes, bytes)
	}
	seen := 0
	table.all(func(key, value []byte) bool {
		seen++
		if model[string(key)] != string(value) {
			t.Fatalf("yields %q = %q, want %q", key, value, model[string(key)])
		}
		return true
	})
	if seen != len(model) {
		t.Fatalf("yields %d entries, want %d", seen, len(model))
	}
}

func TestKeyTableAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := make(map[string]string)
		table := keyTableOf(model)
		for range rapid.IntRange(1, 6).Draw(t, "checkpoints") {
			before, was := table, make(map[string]string, len(model))
			for key, value := range model {
				was[key] = value
			}
			var changes []keyChange
			for i := range rapid.IntRange(0, 200).Draw(t, "changes") {
				key := fmt.Sprintf("key-%d", rapid.IntRange(0, 300).Draw(t, "key"))
				if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
					changes = append(changes, keyChange{key: []byte(key)})
					delete(model, key)
					continue
				}
				model[key] = fmt.Sprintf("value-%d", i)
				changes = append(changes, keyChange{[]byte(key), []byte(model[key])})
			}
			table = table.with(changes, math.MaxInt64)
			checkKeyTable(t, table, model)
			checkKeyTable(t, before, was)
		}
	})
}

// TestKeysWithOneTag finds two keys, and looks for a third, that a page can't tell apart
// but by comparing them.
func TestKeysWithOneTag(t *testing.T) {
	empty := keyTableOf(nil)
	alike := func(n int) (keys []cairn.Key) {
		keys = append(keys, cairn.Key("key-0"))
		for i := 1; len(keys) < n; i++ {
			key := fmt.Appendf(nil, "key-%d", i)
			if uint16(maphash.Bytes(empty.seed, key)) == uint16(maphash.Bytes(empty.seed, keys[0])) {
				keys = append(keys, key)
			}
		}
		return keys
	}
	keys := alike(3)
	table := empty.with([]keyChange{{keys[0], []byte("a")}, {keys[1], []byte("b")}}, math.MaxInt64)
	values := make([][]byte, len(keys))
	table.findAll(keys, values)
	for i, want := range []string{"a", "b", ""} {
		if string(values[i]) != want || string(table.find(keys[i])) != want {
			t.Errorf("key %s has %q, and %q by itself; want %q", keys[i], values[i], table.find(keys[i]), want)
		}
	}
}

func TestKeyTableOverItsBound(t *testing.T) {
	model := map[string]string{"a": "1", "b": "2"}
	table := keyTableOf(model)
	if table.with([]keyChange{{[]byte("c"), []byte("3")}}, table.bytes) != nil {
		t.Error("a table over its bound was made")
	}
	if table.with([]keyChange{{[]byte("a"), []byte("3")}}, table.bytes) == nil {
		t.Error("a table within its bound was not made")
	}
	if newKeyTable(2, table.bytes-1, table.all) != nil {
		t.Error("a table over its bound was made anew")
	}
}

// TestKeysAfterAFailureThatLanded: a checkpoint that fails after the file has
// changed leaves nobody who knows what the file has but the file.
func TestKeysAfterAFailureThatLanded(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	r.write(put("a"), put("b"))
	r.checkpoint()
	if r.x.Status().KeyBytes == 0 {
		t.Fatal("no keys in memory")
	}
	fail := func() {
		t.Helper()
		c, err := r.x.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		r.x.db.MaxSize = 1
		defer func() { r.x.db.MaxSize = 0 }()
		index, term := c.Position()
		wantError(t, c.Write(CheckpointMeta{Index: index, Term: term}), cairn.KindUnavailable, "STORAGE_FAILED")
	}
	check := func() {
		t.Helper()
		for key, want := range map[string]cairn.LocateState{"a": cairn.Found, "b": cairn.Absent, "c": cairn.Found} {
			if got := r.locate(key); got.State != want {
				t.Errorf("%s: %+v", key, got)
			}
		}
	}
	for i := range 2000 {
		r.write(put(testKey(i), name(fmt.Sprintf("%0100d", i))))
	}
	r.write(remove("b"), put("c"))
	fail()
	check()
	if r.x.Status().KeyBytes == 0 {
		t.Error("the file did not change, and the keys were given up")
	}

	if err := r.x.db.Update(func(*bbolt.Tx) error { return nil }); err != nil { // the file moves on
		t.Fatal(err)
	}
	fail()
	check()
	if n := r.x.Status().KeyBytes; n != 0 {
		t.Errorf("%d bytes of keys that may not be the file's", n)
	}
	r.checkpoint()
	check()
}

func TestKeysOfADroppedKeyspace(t *testing.T) {
	table := keyTableOf(map[string]string{"a": "1"})
	keys := keyTables{1: table, 2: table}.with(keyChanges{
		dropped:    []cairn.UID{1, 2},
		byKeyspace: map[cairn.UID][]keyChange{2: {{key: []byte("b"), value: []byte("2")}}},
	}, math.MaxInt64)
	if keys[1] != nil || keys[2].find([]byte("a")) != nil || string(keys[2].find([]byte("b"))) != "2" {
		t.Errorf("%v", keys)
	}
}

func BenchmarkKeyTable(b *testing.B) {
	const entries = 1_000_000
	key := func(out []byte, i uint64) []byte { return fmt.Appendf(out, "customer/%011d", i) }
	table := newKeyTable(entries, math.MaxInt64, func(yield func(key, value []byte) bool) bool {
		for i := range uint64(entries) {
			if !yield(key(nil, i), []byte("123456")) {
				return false
			}
		}
		return true
	})
	b.Run("find", func(b *testing.B) {
		random := rand.New(rand.NewPCG(1, 2))
		buffer := make([]byte, 0, 32)
		for b.Loop() {
			if table.find(key(buffer, random.Uint64N(entries))) == nil {
				b.Fatal("not found")
			}
		}
		b.ReportMetric(float64(table.bytes)/entries, "B/entry")
	})
	for _, all := range []bool{false, true} {
		b.Run(fmt.Sprintf("find-128/together=%t", all), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			keys, values := make([]cairn.Key, 128), make([][]byte, 128)
			for i := range keys {
				keys[i] = make(cairn.Key, 0, 32)
			}
			for b.Loop() {
				for i := range keys {
					keys[i] = key(keys[i][:0], random.Uint64N(entries))
				}
				if all {
					table.findAll(keys, values)
				} else {
					for i, key := range keys {
						values[i] = table.find(key)
					}
				}
				for _, value := range values {
					if value == nil {
						b.Fatal("not found")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/128, "ns/key")
		})
	}
	b.Run("with-200k", func(b *testing.B) {
		random := rand.New(rand.NewPCG(1, 2))
		changes := make([]keyChange, 200_000)
		for i := range changes {
			changes[i] = keyChange{key(nil, random.Uint64N(2*entries)), []byte("654321")}
		}
		for b.Loop() {
			table.with(changes, math.MaxInt64)
		}
	})
}

// TestKeyPageNext has tags that differ in few bits beside one another, and ends of which
// some look like tags.
func TestKeyPageNext(t *testing.T) {
	tag := rapid.SampledFrom([]uint16{0, 1, 2, 0x7fff, 0x8000, 0x8001, 0xffff})
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOfN(tag, 1, 20).Draw(t, "tags")
		var draft keyDraft
		for _, each := range tags {
			draft.add(each, rapid.SliceOfN(rapid.Just(byte(0)), 1, 3).Draw(t, "key"), nil)
		}
		page, sought := draft.page(), tag.Draw(t, "sought")
		var want, got []int
		for i, each := range tags {
			if each == sought {
				want = append(want, i)
			}
		}
		for i := page.next(sought, 0, len(tags)); i < len(tags); i = page.next(sought, i+1, len(tags)) {
			if tags[i] == sought { // else the key is compared, and is another
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%x is at %v, want %v", sought, got, want)
		}
	})
}
