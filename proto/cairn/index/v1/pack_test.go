package indexv1_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

var (
	genKey   = rapid.Custom(func(t *rapid.T) cairn.Key { return rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key") })
	genBlob  = rapid.Custom(func(t *rapid.T) cairn.Attributes { return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "attributes") })
	genNodes = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cairn.NodeID { return cairn.NodeID(rapid.Uint32().Draw(t, "node")) }), 0, cairn.MaxReplicas+1)
	genStamp = rapid.Custom(func(t *rapid.T) cairn.Stamp {
		return cairn.Stamp{Epoch: rapid.Uint64().Draw(t, "epoch"), Index: rapid.Uint64Range(0, 300).Draw(t, "index")}
	})
	genVersion = rapid.Custom(func(t *rapid.T) cairn.Version {
		return cairn.Version{Epoch: rapid.Uint64().Draw(t, "epoch"), Index: rapid.Uint64().Draw(t, "index"), Position: rapid.Uint32().Draw(t, "position")}
	})
	genEntry = rapid.Custom(func(t *rapid.T) cairn.Entry {
		return cairn.Entry{Key: genKey.Draw(t, "key"), Nodes: genNodes.Draw(t, "nodes"), Attributes: genBlob.Draw(t, "attributes"), Version: genVersion.Draw(t, "version")}
	})
	genLocated = rapid.Custom(func(t *rapid.T) cairn.Located {
		each := cairn.Located{State: cairn.LocateState(rapid.IntRange(1, 3).Draw(t, "state")), Stamp: genStamp.Draw(t, "stamp")}
		if each.State == cairn.Found {
			each.Nodes, each.Version, each.Attributes = genNodes.Draw(t, "nodes"), genVersion.Draw(t, "version"), genBlob.Draw(t, "attributes")
		}
		return each
	})
	genMutation = rapid.Custom(func(t *rapid.T) cairn.Mutation {
		each := cairn.Mutation{Operation: cairn.Operation(rapid.IntRange(1, 3).Draw(t, "operation")), Key: genKey.Draw(t, "key"), Nodes: genNodes.Draw(t, "nodes")}
		if each.Operation != cairn.Delete {
			each.Attributes = genBlob.Draw(t, "attributes")
		}
		switch rapid.IntRange(0, 2).Draw(t, "condition") {
		case 1:
			each.Condition.Present = true
		case 2:
			each.Condition = cairn.Condition{Present: true, Version: genVersion.Draw(t, "version")}
		}
		return each
	})
	genWritten = rapid.Custom(func(t *rapid.T) cairn.Written {
		each := cairn.Written{Existed: rapid.Bool().Draw(t, "existed"), Stamp: genStamp.Draw(t, "stamp")}
		if rapid.Bool().Draw(t, "failed") {
			each.Err = &cairn.Error{
				Op: rapid.String().Draw(t, "op"), Kind: cairn.Kind(rapid.IntRange(0, int(cairn.KindUnimplemented)).Draw(t, "kind")),
				Reason: "KEY_EMPTY", Field: "key", Key: genKey.Draw(t, "key"), Err: errors.New("text"),
			}
			return each
		}
		each.Nodes, each.Version = genNodes.Draw(t, "nodes"), genVersion.Draw(t, "version")
		return each
	})
	genChange = rapid.Custom(func(t *rapid.T) cairn.Change {
		each := cairn.Change{
			Key: genKey.Draw(t, "key"), Shard: cairn.ShardID(rapid.Uint64().Draw(t, "shard")), Stamp: genStamp.Draw(t, "stamp"),
			Time: time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "time")).UTC(),
		}
		for _, side := range []**cairn.Entry{&each.Before, &each.After} {
			if rapid.Bool().Draw(t, "present") {
				entry := genEntry.Draw(t, "entry")
				entry.Key = each.Key
				*side = &entry
			}
		}
		return each
	})
)

// equal compares values of the vocabulary; nil and empty are the same.
func equal(t *rapid.T, want, got any) {
	t.Helper()
	options := cmp.Options{cmpopts.EquateEmpty(), cmp.AllowUnexported(cairn.Value{}), cmp.Comparer(func(a, b *cairn.Error) bool {
		return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error() && a.Kind == b.Kind && a.Reason == b.Reason && a.Op == b.Op &&
			a.Field == b.Field && bytes.Equal(a.Key, b.Key))
	})}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Fatal(diff)
	}
}

// roundTrip checks a codec: what was packed is read back, behind what the
// slice had, and every shortened blob is refused.
func roundTrip[T any](t *testing.T, generator *rapid.Generator[T], pack func([]byte, []T) []byte, read func([]byte, []T) ([]T, error)) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(generator, 0, 20).Draw(t, "items")
		blob := pack([]byte("x"), items)[1:]
		got, err := read(blob, nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, items, got)
		again, err := read(blob, got[:len(got):len(got)])
		if err != nil || len(again) != 2*len(items) {
			t.Fatalf("appending: %d items, %v", len(again), err)
		}
		for cut := range blob {
			if _, err := read(blob[:cut], nil); cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatalf("cut at %d of %d: %v", cut, len(blob), err)
			}
		}
		if _, err := read(append(blob[:len(blob):len(blob)], 0), nil); err == nil {
			t.Fatal("a byte too many is taken")
		}
	})
}

func TestKeys(t *testing.T) { roundTrip(t, genKey, indexv1.AppendKeys, indexv1.DecodeKeys) }

// TestJoinedKeysAreAllKeys joins the keys of requests, up to the bound.
func TestJoinedKeysAreAllKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(genKey, 0, 130).Draw(t, "a")
		b := rapid.SliceOfN(genKey, 0, 130).Draw(t, "b")
		joined, at, ok := indexv1.JoinKeys(indexv1.AppendKeys(nil, a), indexv1.AppendKeys(nil, b))
		want := a
		if ok != (len(a)+len(b) <= 127) {
			t.Fatalf("%d and %d keys: %t", len(a), len(b), ok)
		} else if ok {
			want = append(slices.Clone(a), b...)
		}
		got, err := indexv1.DecodeKeys(joined, nil)
		if err != nil || ok && at != len(a) || !slices.EqualFunc(got, want, func(x, y cairn.Key) bool { return x.Compare(y) == 0 }) {
			t.Fatalf("%q at %d, %v; want %q", got, at, err, want)
		}
	})
}

func TestMutations(t *testing.T) {
	roundTrip(t, genMutation, indexv1.AppendMutations, indexv1.DecodeMutations)
}

func TestWritten(t *testing.T) {
	roundTrip(t, genWritten, indexv1.AppendWritten, indexv1.DecodeWritten)
}

func TestEntries(t *testing.T) { roundTrip(t, genEntry, indexv1.AppendEntries, indexv1.DecodeEntries) }

func TestChanges(t *testing.T) { roundTrip(t, genChange, indexv1.AppendChanges, indexv1.DecodeChanges) }

func TestLocated(t *testing.T) {
	roundTrip(t, genLocated,
		func(out []byte, items []cairn.Located) []byte { return indexv1.AppendLocated(out, items, true) },
		func(blob []byte, items []cairn.Located) ([]cairn.Located, error) {
			return indexv1.DecodeLocated(blob, true, items)
		})
	basic := rapid.Custom(func(t *rapid.T) cairn.Located {
		each := genLocated.Draw(t, "located")
		each.Version, each.Attributes = cairn.Version{}, nil
		return each
	})
	roundTrip(t, basic,
		func(out []byte, items []cairn.Located) []byte { return indexv1.AppendLocated(out, items, false) },
		func(blob []byte, items []cairn.Located) ([]cairn.Located, error) {
			return indexv1.DecodeLocated(blob, false, items)
		})
}

func TestBasicResultsAreSmall(t *testing.T) {
	results := make([]cairn.Located, 1000)
	for i := range results {
		results[i] = cairn.Located{State: cairn.Found, Stamp: cairn.Stamp{Epoch: 123456, Index: 7890123}, Nodes: []cairn.NodeID{cairn.NodeID(1 + i%9)}}
	}
	if size := len(indexv1.AppendLocated(nil, results, false)); size > 2*len(results)+20 {
		t.Errorf("%d bytes for %d results", size, len(results))
	}
}

func TestHugeCountsAllocateNothing(t *testing.T) {
	blob := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3}
	if allocated := testing.AllocsPerRun(10, func() { _, _ = indexv1.DecodeKeys(blob, nil) }); allocated > 5 {
		t.Errorf("%v allocations for a broken count", allocated)
	}
	if _, err := indexv1.DecodeLocated(blob, false, nil); err == nil {
		t.Error("a broken count is taken")
	}
}
