package indexv1_test

import (
	"testing"
	"time"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

// fuzz feeds a decoder any bytes. What it takes must come back from the
// encoder and be read as the same once more.
func fuzz[T any](f *testing.F, seed []T, pack func([]byte, []T) []byte, read func([]byte, []T) ([]T, error)) {
	f.Add(pack(nil, seed))
	f.Add(pack(nil, nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0xf1, 0x80})
	f.Fuzz(func(t *testing.T, blob []byte) {
		items, err := read(blob, nil)
		if err != nil {
			if kind := cairn.KindOf(err); kind != cairn.KindCorrupt && kind != cairn.KindInvalid {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		once := pack(nil, items)
		again, err := read(once, nil)
		if err != nil {
			t.Fatalf("what was read can't be read again: %v", err)
		}
		if twice := pack(nil, again); string(once) != string(twice) {
			t.Fatalf("%x became %x", once, twice)
		}
	})
}

var (
	seedEntry = cairn.Entry{Key: cairn.Key("runway 7"), Nodes: []cairn.NodeID{3, 70000}, Attributes: cairn.Attributes{9, 2, 'h', 'i'}, Version: cairn.Version{Epoch: 9, Index: 12, Position: 3}}
	seedStamp = cairn.Stamp{Epoch: 300, Index: 70000}
)

func FuzzDecodeKeys(f *testing.F) {
	fuzz(f, []cairn.Key{cairn.Key("a"), cairn.Key("runway 7")}, indexv1.AppendKeys, indexv1.DecodeKeys)
}

func FuzzDecodeLocated(f *testing.F) {
	seed := []cairn.Located{
		{State: cairn.Found, Stamp: seedStamp, Nodes: seedEntry.Nodes, Version: seedEntry.Version, Attributes: seedEntry.Attributes},
		{State: cairn.Absent, Stamp: seedStamp}, {State: cairn.NotOwned},
	}
	fuzz(f, seed, func(out []byte, items []cairn.Located) []byte { return indexv1.AppendLocated(out, items, true) },
		func(blob []byte, items []cairn.Located) ([]cairn.Located, error) {
			return indexv1.DecodeLocated(blob, true, items)
		})
}

func FuzzDecodeMutations(f *testing.F) {
	fuzz(f, []cairn.Mutation{
		{Operation: cairn.Put, Key: seedEntry.Key, Nodes: seedEntry.Nodes, Attributes: seedEntry.Attributes},
		{Operation: cairn.Merge, Key: seedEntry.Key, Condition: cairn.Condition{Present: true}},
		{Operation: cairn.Delete, Key: seedEntry.Key, Condition: cairn.Condition{Present: true, Version: seedEntry.Version}},
	}, indexv1.AppendMutations, indexv1.DecodeMutations)
}

func FuzzDecodeWritten(f *testing.F) {
	fuzz(f, []cairn.Written{
		{Existed: true, Stamp: seedStamp, Version: seedEntry.Version, Nodes: seedEntry.Nodes},
		{Stamp: seedStamp, Err: cairn.Invalid("nodes", "NODE_UNKNOWN", "no node 7")},
	}, indexv1.AppendWritten, indexv1.DecodeWritten)
}

func FuzzDecodeEntries(f *testing.F) {
	fuzz(f, []cairn.Entry{seedEntry, seedEntry}, indexv1.AppendEntries, indexv1.DecodeEntries)
}

func FuzzDecodeChanges(f *testing.F) {
	fuzz(f, []cairn.Change{
		{Key: seedEntry.Key, Shard: 4, Before: &seedEntry, After: &seedEntry, Stamp: seedStamp, Time: time.UnixMicro(1_700_000_000_000_000)},
		{Key: seedEntry.Key, Shard: 4, Before: &seedEntry, Stamp: seedStamp},
	}, indexv1.AppendChanges, indexv1.DecodeChanges)
}

// seedValues are one of each type, as far as a sort has room for them.
func seedValues(f *testing.F) []cairn.Value {
	f.Helper()
	text, err := cairn.String("grass")
	if err != nil {
		f.Fatal(err)
	}
	number, err := cairn.Float(-2.5)
	if err != nil {
		f.Fatal(err)
	}
	at, err := cairn.Timestamp(time.UnixMicro(1_700_000_000_000_000))
	if err != nil {
		f.Fatal(err)
	}
	return []cairn.Value{text, number, at, cairn.Int(-70000)}
}

func FuzzDecodeRows(f *testing.F) {
	values := seedValues(f)
	fuzz(f, []cairn.ViewRow{
		{Position: cairn.Position{Values: values, Key: seedEntry.Key}, Nodes: seedEntry.Nodes, Attributes: seedEntry.Attributes},
		{Position: cairn.Position{Values: []cairn.Value{{}, cairn.Bool(true)}, Key: seedEntry.Key}, Nodes: seedEntry.Nodes},
		{Position: cairn.Position{Key: seedEntry.Key}},
	}, indexv1.AppendRows, indexv1.DecodeRows)
}

func FuzzDecodeGroups(f *testing.F) {
	values := seedValues(f)
	fuzz(f, []cairn.Group{{Values: values[:2], Count: 300}, {Values: []cairn.Value{{}}, Count: 1}}, indexv1.AppendGroups, indexv1.DecodeGroups)
}

func FuzzDecodeValues(f *testing.F) {
	fuzz(f, append(seedValues(f), cairn.Bool(true), cairn.Value{}), indexv1.AppendValues, indexv1.DecodeValues)
}

func FuzzDecodePosition(f *testing.F) {
	f.Add(indexv1.AppendPosition(nil, &cairn.Position{Values: seedValues(f), Key: seedEntry.Key}))
	f.Add(indexv1.AppendPosition(nil, &cairn.Position{}))
	f.Fuzz(func(t *testing.T, blob []byte) {
		position, err := indexv1.DecodePosition(blob)
		if err != nil {
			return
		}
		once := indexv1.AppendPosition(nil, position)
		again, err := indexv1.DecodePosition(once)
		if err != nil {
			t.Fatalf("what was read can't be read again: %v", err)
		}
		if twice := indexv1.AppendPosition(nil, again); string(once) != string(twice) {
			t.Fatalf("%x became %x", once, twice)
		}
	})
}
