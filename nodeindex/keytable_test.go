package nodeindex

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

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
	var bytes int64
	for key, value := range model {
		bytes += int64(8 + len(key) + len(value))
		if got := table.find([]byte(key)); string(got) != value {
			t.Fatalf("key %q has %q, want %q", key, got, value)
		}
		if longer := key + "x"; model[longer] == "" && table.find([]byte(longer)) != nil {
			t.Fatalf("key %q is not in the model", longer)
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
	for _, warm := range []bool{false, true} {
		b.Run(fmt.Sprintf("find-128/warm=%t", warm), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			keys := make([]cairn.Key, 128)
			for i := range keys {
				keys[i] = make(cairn.Key, 0, 32)
			}
			for b.Loop() {
				for i := range keys {
					keys[i] = key(keys[i][:0], random.Uint64N(entries))
				}
				if warm {
					table.warm(keys)
				}
				for _, key := range keys {
					if table.find(key) == nil {
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
