package replica

import (
	"testing"

	"cairn"
)

var movingShard = cairn.MovingShard{Move: 0x77, Keyspace: keyspace, Shard: 1, Epoch: 5, Attempt: 1}

// TestFencedWritesStayOutOfTheLog has a fence set and lifted.
func TestFencedWritesStayOutOfTheLog(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	mustWrite(t, r, put(1, "a"))
	fence, err := r.FenceShard(t.Context(), movingShard, 1, true)
	if err != nil || !fence.On || fence.Number != 1 || fence.Digest.Entries != 1 {
		t.Fatalf("%+v, %v", fence, err)
	}
	for range 3 {
		reply, err := r.Write(t.Context(), put(2, "a", "b"))
		if err != nil || reply.Index != fence.Index {
			t.Fatalf("%+v, %v; the fence was at %d", reply, err, fence.Index)
		}
		for _, result := range reply.Results {
			if cairn.ReasonOf(result.Err) != "SHARD_FENCED" || result.Err.Kind != cairn.KindUnavailable {
				t.Fatalf("%+v", result)
			}
		}
	}
	if n, found := find(t, r, cairn.Read{Level: cairn.Linearizable}, "a"); n != 1 || !found {
		t.Fatalf("a fenced shard has %d, %v", n, found)
	}
	for _, step := range []struct {
		number  uint64
		on      bool
		fenced  bool
		current uint64
	}{
		{1, true, true, 1}, {1, false, false, 1}, {1, true, false, 1}, {3, false, false, 3}, {2, true, false, 3}, {4, true, true, 4}, {3, false, true, 4}, {4, false, false, 4},
	} {
		fence, err := r.FenceShard(t.Context(), movingShard, step.number, step.on)
		if err != nil || fence.On != step.fenced || fence.Number != step.current {
			t.Fatalf("%+v left %+v, %v", step, fence, err)
		}
	}
	mustWrite(t, r, put(3, "a"))
	other := movingShard
	other.Epoch++
	if _, err := r.FenceShard(t.Context(), other, 5, true); cairn.KindOf(err) != cairn.KindNotYet && cairn.ReasonOf(err) != "NOT_OWNED" {
		t.Fatalf("a fence of another epoch: %v", err)
	}
}
