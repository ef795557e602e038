package server_test

import (
	"testing"
	"time"

	"cairn"
	"cairn/router/internal/bed"
	"cairn/router/server"
)

// TestRequestIDsGoThrough repeats calls of a remote client: each has its first
// outcome again, and is another request with another id.
func TestRequestIDsGoThrough(t *testing.T) {
	s := serve(t, 2, 4, server.Config{})
	c := s.client(t)
	absent := func(key string) cairn.Write {
		return cairn.Write{Operation: cairn.Put, Key: cairn.Key(key), Condition: cairn.Condition{Present: true}}
	}
	puts, batches, deletes := cairn.NewRequestID(time.Now()), cairn.NewRequestID(time.Now()), cairn.NewRequestID(time.Now())
	first, _, err := c.Put(timeout(t), bed.Things, absent("a"), puts)
	if err != nil {
		t.Fatal(err)
	}
	if again, _, err := c.Put(timeout(t), bed.Things, absent("a"), puts); err != nil || again.Version != first.Version || again.Existed {
		t.Errorf("a put: %+v, then %+v, %v", first, again, err)
	}
	if _, _, err := c.Put(timeout(t), bed.Things, absent("a"), cairn.NewRequestID(time.Now())); cairn.KindOf(err) != cairn.KindPrecondition {
		t.Errorf("a put with another id: %v", err)
	}
	// The second write can't be read as one; the others are what they were.
	writes := []cairn.Write{absent("b"), {Operation: cairn.Put, Key: cairn.Key("c"), Attributes: cairn.NamedValues{{Name: "nothing"}}}, absent("b"), absent("d")}
	outcomes, _, err := c.BatchWrite(timeout(t), bed.Things, writes, batches)
	if err != nil {
		t.Fatal(err)
	}
	repeated, _, err := c.BatchWrite(timeout(t), bed.Things, writes, batches)
	if err != nil {
		t.Fatal(err)
	}
	for i, failed := range []bool{false, true, true, false} {
		if (outcomes[i].Err != nil) != failed || (repeated[i].Err != nil) != failed || outcomes[i].Version != repeated[i].Version {
			t.Errorf("write %d: %+v, then %+v", i, outcomes[i], repeated[i])
		}
	}
	for range 2 {
		if existed, _, err := c.Delete(timeout(t), bed.Things, cairn.Key("a"), cairn.Condition{}, deletes); err != nil || !existed {
			t.Errorf("a delete: %t, %v", existed, err)
		}
	}
	if existed, _, err := c.Delete(timeout(t), bed.Things, cairn.Key("a"), cairn.Condition{}, cairn.RequestID{}); err != nil || existed {
		t.Errorf("a delete without an id: %t, %v", existed, err)
	}
}
