package client

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
)

// TestLocatesArePackedWithTheirFellows packs any locates: each is in one batch, once,
// with nobody who asks otherwise, within the bounds, and by the first one's time.
func TestLocatesArePackedWithTheirFellows(t *testing.T) {
	var packer locatePacker
	rapid.Check(t, func(t *rapid.T) {
		packer.reset()
		begin := time.Now()
		where := map[*locate]*locateBatch{}
		for range rapid.IntRange(0, 20).Draw(t, "kinds") {
			kind := locate{
				fellows: fellows{
					keyspace: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "keyspace"), level: cairn.AtLeast,
					token: rapid.SampledFrom([]string{"", "t"}).Draw(t, "token"), withAttributes: rapid.Bool().Draw(t, "attributes"),
				},
				deadline: begin.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "left")) * time.Second),
			}
			key := bytes.Repeat([]byte{rapid.Byte().Draw(t, "key")}, rapid.SampledFrom([]int{1, 20, cairn.MaxKeyLength}).Draw(t, "length"))
			most := mostLocateBytes / len(key)
			if kind.fellows.withAttributes {
				most = 1
			}
			kind.keys = slices.Repeat([]cairn.Key{key}, min(most, rapid.SampledFrom([]int{1, 2, 128, mostLocates}).Draw(t, "keys")))
			kind.size = len(kind.keys) * len(key)
			counts := []int{1, 3, 100, 1100}
			if len(kind.keys) > 2 {
				counts = []int{1, 3, 12}
			}
			for range rapid.SampledFrom(counts).Draw(t, "count") {
				c := kind
				packer.add(&c)
				where[&c] = nil
			}
		}
		for _, b := range packer.batches {
			size, locates := 0, 0
			for i, of := range b.keys {
				c := of.locate
				if of.at == 0 {
					if at, known := where[c]; !known || at != nil {
						t.Fatalf("a locate in two batches, or in none's name")
					}
					where[c] = b
					locates++
				}
				key := b.request.GetBatch().GetKeys()[i]
				if where[c] != b || c.fellows != b.fellows || !bytes.Equal(c.keys[of.at], key) || c.deadline.Before(b.deadline) {
					t.Fatalf("%+v is in the batch of %+v as %x", c, b.fellows, key)
				}
				size += len(key)
			}
			most := mostLocates
			if b.fellows.withAttributes {
				most = mostFullLocates
			}
			if len(b.keys) == 0 || len(b.keys) > most || size > mostLocateBytes || b.left != len(b.keys) || b.locates != locates {
				t.Fatalf("%d keys of %d bytes and %d locates, %d left", len(b.keys), size, b.locates, b.left)
			}
		}
		for c, b := range where {
			if b == nil {
				t.Fatalf("%+v is in no batch", c)
			}
		}
	})
}

// TestNothingIsKeptForWhoHasLeft has callers leave before and after they are sent.
func TestNothingIsKeptForWhoHasLeft(t *testing.T) {
	s := &locateSession{wake: make(chan struct{}, 1), pending: map[uint64]*locateBatch{}}
	locates := make([]*locate, 4)
	for i := range locates {
		locates[i] = &locate{keys: []cairn.Key{{1}, {2}}}
		s.add(locates[i])
	}
	s.abandon(locates[0])
	if len(s.queue) != 3 {
		t.Errorf("%d are queued", len(s.queue))
	}
	var packer locatePacker
	s.take(&packer)
	for i, c := range locates[1:] {
		if len(s.pending) != 1 {
			t.Errorf("%d batches are waited for after %d of three have left", len(s.pending), i)
		}
		s.abandon(c)
	}
	if len(s.pending) != 0 || len(s.queue) != 0 {
		t.Errorf("%d batches are waited for, %d locates queued", len(s.pending), len(s.queue))
	}
}
