package nodeindex

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"cairn"
	"cairn/nodeindex/projection"
)

func FuzzWriteCommand(f *testing.F) {
	request := &cairn.WriteRequest{Keyspace: testKeyspace, Mutations: []cairn.Mutation{
		put("a", size(5), name("x")),
		{Operation: cairn.Merge, Key: cairn.Key("b"), Nodes: []cairn.NodeID{1, 300}, Condition: cairn.Condition{Present: true, Version: cairn.Version{Epoch: 1, Index: 2, Position: 3}}},
		remove("c"),
	}}
	f.Add(prepare(nil, nil, testTime, requestBounds{}, []*cairn.WriteRequest{request, {Keyspace: 7}}))
	named := *request
	named.RequestID = cairn.RequestID{ID: [16]byte{1}, Issued: testTime}
	f.Add(prepare(nil, nil, testTime, requestBounds{5, 6}, []*cairn.WriteRequest{&named, request}))
	f.Add([]byte{commandWrites, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, command []byte) {
		var c writeCommand
		if !c.decode(command) {
			return
		}
		// What decodes is what encoding it again gives, and decoding that.
		out := appendWriteHeader(nil, testTime, &c.bounds, len(c.requests))
		for _, r := range c.requests {
			out = appendNamedRequestHeader(out, r.keyspace, r.name, len(r.mutations))
			position := uint32(0)
			for i := range r.mutations {
				m := &r.mutations[i]
				if !r.name.isZero() {
					out = binary.AppendUvarint(out, uint64(m.Position-position))
					position = m.Position + 1
				}
				out = appendMutation(out, &m.Mutation, m.Nodes, m.chosen)
			}
		}
		var again writeCommand
		if !again.decode(out) || len(again.mutations) != len(c.mutations) || again.bounds != c.bounds {
			t.Fatalf("%x does not decode again", out)
		}
		for i := range c.mutations {
			a, b := &c.mutations[i], &again.mutations[i]
			if a.Operation != b.Operation || !bytes.Equal(a.Key, b.Key) || !bytes.Equal(a.Attributes, b.Attributes) ||
				a.Condition != b.Condition || a.Position != b.Position || a.chosen != b.chosen || len(a.Nodes) != len(b.Nodes) {
				t.Fatalf("%+v became %+v", a, b)
			}
		}
	})
}

func FuzzAssignCommand(f *testing.F) {
	a := testAssignment(f, cairn.SchemeRange, 3)
	f.Add(diff(&assignment{}, a).encode())
	f.Add((&assignCommand{from: 1, to: 2, removedKeyspaces: []cairn.UID{5}, removedShards: []shardName{{1, 2}}}).encode())
	f.Add([]byte{commandAssign})
	f.Fuzz(func(t *testing.T, command []byte) {
		var c, again assignCommand
		if !c.decode(command) {
			return
		}
		out := c.encode()
		if !again.decode(out) || !bytes.Equal(again.encode(), out) {
			t.Fatalf("%x does not decode again", out)
		}
		if next, err := (&assignment{keyspaces: map[cairn.UID]*keyspace{}}).assign(&c); err == nil && next.revision != c.to {
			t.Fatalf("revision %d, want %d", next.revision, c.to)
		}
	})
}

func FuzzRecord(f *testing.F) {
	entry := cairn.Entry{Key: cairn.Key("key"), Nodes: []cairn.NodeID{1, 300}, Attributes: attributes(size(5)), Version: cairn.Version{Epoch: 1, Index: 2, Position: 3}}
	value := appendEntryValue(nil, 77, entry.Nodes)
	f.Add(value, appendRecord(nil, testKeyspace, &entry, value))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, value, body []byte) {
		ordinal, nodes, ok := decodeEntryValue(value, nil)
		if !ok {
			return
		}
		r, ok := parseRecord(body)
		if !ok {
			return
		}
		entry := cairn.Entry{Key: r.key, Nodes: nodes, Attributes: r.attributes, Version: r.version}
		again := appendRecord(nil, testKeyspace, &entry, appendEntryValue(nil, ordinal, nodes))
		decoded, ok := decodeRecord(testKeyspace, appendEntryValue(nil, ordinal, nodes), again)
		if !ok || !bytes.Equal(decoded.key, r.key) || decoded.version != r.version || !bytes.Equal(decoded.attributes, r.attributes) {
			t.Fatalf("%+v became %+v", r, decoded)
		}
		again[len(again)/2] ^= 1
		if _, ok := decodeRecord(testKeyspace, appendEntryValue(nil, ordinal, nodes), again); ok {
			t.Fatal("a flipped bit went unnoticed")
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add((&bundle{[]byte("record"), nil, []byte("another")}).append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		b, ok := decodeBundle(value)
		if !ok {
			return
		}
		again, ok := decodeBundle(b.append(nil))
		if !ok || b.empty() || b.size() < len(b.append(nil)) {
			t.Fatalf("%q does not decode again", b)
		}
		for slot := range b {
			if !bytes.Equal(b[slot], again[slot]) || (b[slot] == nil) != (again[slot] == nil) {
				t.Fatalf("%q became %q", b, again)
			}
		}
	})
}

func FuzzShard(f *testing.F) {
	s := cairn.Shard{Keyspace: testKeyspace, ID: 3, Start: []byte("a"), End: []byte("b"), Epoch: 9}
	p := newPopulation()
	p.add(5, []cairn.NodeID{1})
	p.blocks = []uint16{4}
	value, err := encodeShard(&s, p, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value[:len(value)-4])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		decoded, withheld, ok := decodeShard(seal(bytes.Clone(value)))
		if !ok {
			return
		}
		again, err := encodeShard(&decoded.Shard, decoded.population, withheld)
		if err != nil {
			t.Fatal(err)
		}
		if _, same, ok := decodeShard(again); !ok || same != withheld {
			t.Fatalf("%x does not decode again", again)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(appendRequest(nil, [16]byte{1}, 7, []outcome{
		{position: 0, shard: 3, version: cairn.Version{Epoch: 9, Index: 7, Position: 2}, existed: true, nodes: []cairn.NodeID{1, 300}},
		{position: 5, shard: 4, version: cairn.Version{Epoch: 9, Index: 7, Position: 3}, deleted: true},
		{position: 6, shard: 4, version: cairn.Version{Epoch: 8, Index: 7, Position: 9}, refusal: errNoNode},
		{position: 7, shard: 4, version: cairn.Version{Epoch: 8, Index: 7, Position: 10}, nodes: make([]cairn.NodeID, cairn.MaxReplicas)},
	}))
	f.Add(appendRequest(nil, [16]byte{1}, 70, []outcome{ // that moved here
		{position: 0, shard: 3, version: cairn.Version{Epoch: 9, Index: 7, Position: 2}},
	}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		d := decoder{rest: record}
		id, came, outcomes := d.request()
		if !d.ok() || len(outcomes) == 0 {
			return
		}
		out := appendRequest(nil, id, came, outcomes)
		again := decoder{rest: out}
		if sameID, sameCame, same := again.request(); !again.done() || sameID != id || sameCame != came || !reflect.DeepEqual(same, outcomes) {
			t.Fatalf("%+v became %+v", outcomes, same)
		}
	})
}

func FuzzPiece(f *testing.F) {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 1, Name: "n", Type: cairn.TypeInt}})
	if err != nil {
		f.Fatal(err)
	}
	copied := piece{
		kind: pieceCopy, index: 7, last: copyCursor{entries: true, position: 3}.encode(9), done: true,
		definition: &cairn.Keyspace{UID: 1, Name: "k", Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: schema},
		views:      []cairn.View{{UID: 2, Keyspace: 1, Name: "v", Version: 1, Filter: "n > 1"}},
		times:      requestTimes{latest: 5, horizon: -6},
		requests:   []movedRequest{{second: 3, id: [16]byte{1}, outcomes: []outcome{{position: 2, shard: 3, version: cairn.Version{Epoch: 4, Index: 5}, nodes: []cairn.NodeID{1}}}}},
		changes:    []movedEntry{{Entry: cairn.Entry{Key: cairn.Key("a"), Version: cairn.Version{Epoch: 4, Index: 5, Position: 6}}}},
	}
	tail := piece{kind: pieceTail, from: 7, index: 9, seal: pieceSeal{number: 1, digest: cairn.Digest{Entries: 2, Sum: 3}},
		changes: []movedEntry{{Entry: cairn.Entry{Key: cairn.Key("a")}, deleted: true}}}
	f.Add(copied.encode())
	f.Add(tail.encode())
	copied.marks = &projection.Marks{
		Members: []projection.MemberMarks{{View: 2, Version: 1, Condition: 3, Bits: []byte{1}}},
		Sorted:  []projection.SortMarks{{Sort: []cairn.SortField{{Attribute: 1, Descending: true}}, Places: []uint16{0}}},
	}
	f.Add(copied.encode())
	f.Fuzz(func(t *testing.T, encoded []byte) {
		d := decoder{rest: encoded}
		p := d.piece()
		if !d.ok() {
			return
		}
		again := decoder{rest: p.encode()}
		if same := again.piece(); !again.done() || !reflect.DeepEqual(same.changes, p.changes) || !reflect.DeepEqual(same.requests, p.requests) ||
			!reflect.DeepEqual(same.marks, p.marks) ||
			same.index != p.index || same.seal != p.seal || !bytes.Equal(same.last, p.last) {
			t.Fatalf("%+v became %+v", p, same)
		}
	})
}
