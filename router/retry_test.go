package router_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cairn"
	"cairn/router"
	"cairn/router/internal/bed"
)

// script gives writes one fault after the other, and none after the last.
func script(faults ...bed.Fault) func(string, bed.Call) bed.Fault {
	var next atomic.Int64
	return func(_ string, call bed.Call) bed.Fault {
		if call != bed.CallWrite {
			return bed.None
		}
		if n := int(next.Add(1)) - 1; n < len(faults) {
			return faults[n]
		}
		return bed.None
	}
}

// newThing puts a key that must have no entry.
func newThing(key string, size int64) cairn.Write {
	return cairn.Write{
		Operation: cairn.Put, Key: cairn.Key(key), Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(size)}},
		Condition: cairn.Condition{Present: true},
	}
}

func version(t *testing.T, r *router.Router, key cairn.Key) cairn.Version {
	t.Helper()
	location, _, err := r.Locate(t.Context(), bed.Things, key, cairn.Reading{WithAttributes: true, Freshness: cairn.Freshness{Level: cairn.Linearizable}})
	if err != nil {
		t.Fatal(err)
	}
	return location.Version
}

// TestLostAnswerIsAskedForAgain has writes take effect and their answers lost.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	b, r := open(t, 1, 2)
	b.Faults = script(bed.LostReply, bed.Unreachable, bed.NotYet, bed.LostReply)
	outcome, _, err := r.Put(t.Context(), bed.Things, newThing("a", 1), cairn.RequestID{})
	if err != nil || outcome.Existed || outcome.Version != version(t, r, cairn.Key("a")) {
		t.Fatalf("%+v, %v; the entry has version %s", outcome, err, version(t, r, cairn.Key("a")))
	}
	b.Faults = script(bed.LostReply)
	_, _, err = r.Put(t.Context(), bed.Things, newThing("a", 2), cairn.RequestID{})
	if cairn.ReasonOf(err) != "CONDITION" {
		t.Errorf("a refusal whose answer was lost: %v", err)
	}
	b.Faults = script(bed.LostReply, bed.LostReply)
	if existed, _, err := r.Delete(t.Context(), bed.Things, cairn.Key("a"), cairn.Condition{}, cairn.RequestID{}); err != nil || !existed {
		t.Errorf("a delete: %t, %v", existed, err)
	}
}

// TestLostAnswersOfABatch loses the answers of one cluster of several, while
// what another one refuses moves to it.
func TestLostAnswersOfABatch(t *testing.T) {
	b, r := open(t, 3, 8)
	m := b.Map()
	things, _ := m.Catalog().KeyspaceByName(bed.Things)
	for i, shard := range slices.Collect(m.Shards(things.UID)) {
		if i%2 == 0 { // the router does not know it yet
			if err := b.Move(things.UID, shard.ID, cairn.UID(0x100+i%3)); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Faults = script(bed.LostReply, bed.None, bed.LostReply, bed.LostReply)
	var writes []cairn.Write
	for i := range 60 {
		write := newThing(fmt.Sprint("k", i), int64(i))
		writes = append(writes, write, write) // the second finds the first
	}
	outcomes, _, err := r.BatchWrite(t.Context(), bed.Things, writes, cairn.RequestID{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(outcomes); i += 2 {
		if first := outcomes[i]; first.Err != nil || first.Existed || first.Version != version(t, r, writes[i].Key) {
			t.Errorf("write %d: %+v", i, first)
		}
		if second := outcomes[i+1]; second.Err == nil || second.Err.Reason != "CONDITION" {
			t.Errorf("write %d: %+v", i+1, second)
		}
	}
}

// TestRequestIDOfACaller repeats calls, in between which the shards move.
func TestRequestIDOfACaller(t *testing.T) {
	b, r := open(t, 2, 1)
	id := cairn.NewRequestID(time.Now())
	writes := []cairn.Write{newThing("a", 1), newThing("a", 2), newThing("b", 3)}
	first, _, err := r.BatchWrite(t.Context(), bed.Things, writes, id)
	if err != nil {
		t.Fatal(err)
	}
	m := b.Map()
	things, _ := m.Catalog().KeyspaceByName(bed.Things)
	shard := slices.Collect(m.Shards(things.UID))[0]
	if err := b.Move(things.UID, shard.ID, 0x100+0x101-shard.Cluster); err != nil {
		t.Fatal(err)
	}
	again, token, err := r.BatchWrite(t.Context(), bed.Things, writes, id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		if first[i].Version != again[i].Version || (first[i].Err == nil) != (again[i].Err == nil) || first[i].Existed != again[i].Existed {
			t.Errorf("write %d: %+v, then %+v", i, first[i], again[i])
		}
	}
	read := cairn.Reading{WithAttributes: true, Freshness: cairn.Freshness{Level: cairn.AtLeast, Token: token}}
	location, _, err := r.Locate(t.Context(), bed.Things, cairn.Key("a"), read)
	if err != nil || location.Version != first[0].Version {
		t.Errorf("read with the second token: %+v, %v", location, err)
	}
}

// TestUnknownToTheEnd never gets an answer: what is said last says nothing of
// what was sent first.
func TestUnknownToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := open(t, 1, 1)
		answers := script(bed.LostReply)
		b.Faults = func(cluster string, call bed.Call) bed.Fault {
			if answers(cluster, call) == bed.LostReply {
				return bed.LostReply
			}
			return bed.Unreachable
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := r.Put(ctx, bed.Things, newThing("a", 1), cairn.RequestID{})
		if cairn.KindOf(err) != cairn.KindUnknown || cairn.ReasonOf(err) != "OUTCOME_UNKNOWN" {
			t.Errorf("%v", err)
		}
		// One that surely never arrived is known not to have taken effect.
		_, _, err = r.Put(ctx, bed.Things, newThing("b", 1), cairn.RequestID{})
		if cairn.KindOf(err) == cairn.KindUnknown {
			t.Errorf("%v", err)
		}
	})
}

// TestIDsThatAreTooOld has an index refuse every id, as where clocks differ: a
// router goes on without, and a caller is told.
func TestIDsThatAreTooOld(t *testing.T) {
	b, r := open(t, 2, 4)
	b.Forgetful = true
	outcomes, _, err := r.BatchWrite(t.Context(), bed.Things, []cairn.Write{newThing("a", 1), newThing("b", 1)}, cairn.RequestID{})
	if err != nil || outcomes[0].Err != nil || outcomes[1].Err != nil {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	_, _, err = r.Put(t.Context(), bed.Things, newThing("c", 1), cairn.NewRequestID(time.Now()))
	if cairn.ReasonOf(err) != "REQUEST_TOO_OLD" {
		t.Errorf("a caller's own: %v", err)
	}
	// Without an id nothing is repeated that may have taken effect.
	b.Faults = script(bed.None, bed.LostReply)
	_, _, err = r.Put(t.Context(), bed.Things, newThing("d", 1), cairn.RequestID{})
	if cairn.KindOf(err) != cairn.KindUnknown {
		t.Errorf("%v", err)
	}
	// What became of a first try whose answer was lost can't be told by that
	// the second one is refused.
	b.Faults = script(bed.LostReply)
	if _, _, err = r.Put(t.Context(), bed.Things, newThing("e", 1), cairn.RequestID{}); cairn.KindOf(err) != cairn.KindUnknown {
		t.Errorf("%v", err)
	}
}
