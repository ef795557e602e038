package replica

import (
	"testing"
	"time"

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

// TestNothingUnderAFenceWaitsForRelief has no checkpoint bring relief to the source and the
// target, for which other commands would wait: the fence is set, and what is left is
// staged and sealed, all the same.
func TestNothingUnderAFenceWaitsForRelief(t *testing.T) {
	config := configure(t.TempDir())
	config.OverlayBytes = 1
	source := open(t, config)
	config.Dir = t.TempDir()
	target, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAndCheck(t, target) })
	nothing := assignment(t, 10)
	nothing.Shards = nil
	if err := target.Assign(t.Context(), nothing); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, source, put(1, "a"))
	var staged cairn.Staged
	stage := func(data []byte) (err error) {
		staged, err = target.StageShard(t.Context(), movingShard, data)
		return err
	}
	if err := source.CopyShard(t.Context(), movingShard, nil, func(part cairn.CopiedPart) error { return stage(part.Data) }); err != nil {
		t.Fatal(err)
	}

	pending := func(r *Replica) int64 {
		_, bytes := r.index.Pending()
		return bytes
	}
	for _, r := range []*Replica{source, target} {
		eventually(t, "a checkpoint of everything", func() bool { return pending(r) == 0 })
		r.machine.beginInstall() // it is the last for the time being
		defer r.machine.endInstall()
	}
	mustWrite(t, source, put(2, "a"))
	tail, err := source.TailShard(t.Context(), movingShard, staged.Through)
	if err == nil {
		err = stage(tail.Data)
	}
	if err != nil || pending(source) < config.OverlayBytes || pending(target) < config.OverlayBytes {
		t.Fatalf("%d and %d bytes are in no checkpoint, %v", pending(source), pending(target), err)
	}
	sealed := make(chan error, 1)
	go func() {
		_, tail, err := source.FenceTail(t.Context(), movingShard, 1, staged.Through)
		if err == nil {
			err = stage(tail.Data)
		}
		sealed <- err
	}()
	select {
	case err := <-sealed:
		if err != nil || staged.Sealed != 1 {
			t.Errorf("staged %+v, %v", staged, err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for a checkpoint")
	}
}
