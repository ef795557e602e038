package replica

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"cairn"
)

// stressEnv sets how many seconds the stress test runs; without it, as many as
// every change can afford.
const stressEnv = "CAIRN_STRESS_SECONDS"

func stressTime(t *testing.T) time.Duration {
	text := os.Getenv(stressEnv)
	if text == "" {
		return 2 * time.Second
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 {
		t.Fatalf("%s is %q; want a number of seconds", stressEnv, text)
	}
	return time.Duration(seconds) * time.Second
}

// watchdog ends the process with every goroutine's stack if the test does not
// end in time: a deadlock would say nothing else.
func watchdog(t *testing.T, after time.Duration) {
	timer := time.AfterFunc(after, func() {
		stacks := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs:\n%s", t.Name(), stacks[:runtime.Stack(stacks, true)]))
	})
	t.Cleanup(func() { timer.Stop() })
}

// TestStress has writers of batches of 128, readers, listings and watches at
// every level go on while the log is cut, shards are split and merged, and
// checkpoints grow the file past its map; and closes the replica in the middle
// of that. Nothing may wait for ever.
func TestStress(t *testing.T) {
	watchdog(t, stressTime(t)+30*time.Second)
	config := configure(t.TempDir())
	config.SegmentBytes = 256 << 10
	config.CheckpointBytes = 256 << 10
	config.OverlayBytes = 1 << 20
	config.Index.MapBytes = 1 << 15
	config.Heartbeat = 20 * time.Millisecond
	r, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(t.Context(), splitInto(t, 10, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), stressTime(t))
	defer stop()
	over := make(chan struct{})
	var running sync.WaitGroup
	// until repeats an action until it fails, which it may do only once the
	// replica is being closed.
	until := func(action func(n int) error) {
		running.Go(func() {
			for n := 0; ; n++ {
				err := action(n)
				if err == nil {
					continue
				}
				select {
				case <-over:
				default:
					t.Error(err)
				}
				return
			}
		})
	}
	for w := range 8 {
		until(func(n int) error { return writeAndRead(r, w, n) })
	}
	until(func(n int) error {
		time.Sleep(5 * time.Millisecond)
		return r.Assign(context.Background(), splitInto(t, uint64(11+n), 1+n%7))
	})
	until(func(int) error { return listAll(r) })
	until(func(int) error {
		_, err := r.Status(context.Background(), 0)
		return err
	})
	until(func(int) error {
		last := uint64(0)
		return r.Watch(context.Background(), cairn.WatchRequest{Keyspace: keyspace}, func(batch cairn.WatchBatch) error {
			if batch.Index < last {
				return fmt.Errorf("a batch up to %d after one up to %d", batch.Index, last)
			}
			last = batch.Index
			return nil
		})
	})
	<-ctx.Done()
	// On a busy machine the first one may take longer than all of this.
	for deadline := time.Now().Add(time.Minute); r.index.Checkpointed().Index == 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	checkpointed := r.index.Checkpointed().Index
	close(over)
	closeAndCheck(t, r)
	running.Wait()
	if checkpointed == 0 {
		t.Error("no checkpoint was taken")
	}
}

// splitInto is an assignment of one keyspace in so many shards.
func splitInto(t *testing.T, revision uint64, shards int) cairn.Assignment {
	a := assignment(t, revision)
	a.Shards = nil
	for i := range shards {
		s := cairn.Shard{Keyspace: keyspace, ID: cairn.ShardID(revision*10) + cairn.ShardID(i), Epoch: revision}
		if i > 0 {
			s.Start = binary.BigEndian.AppendUint64(nil, uint64(i)<<61)
		}
		if i < shards-1 {
			s.End = binary.BigEndian.AppendUint64(nil, uint64(i+1)<<61)
		}
		a.Shards = append(a.Shards, s)
	}
	return a
}

// writeAndRead writes a batch and reads one key of it back.
func writeAndRead(r *Replica, writer, n int) error {
	req := &cairn.WriteRequest{Keyspace: keyspace}
	for i := range 128 {
		key := fmt.Appendf(nil, "w%d-%d", writer, (n*97+i)%20_000)
		req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: key, Attributes: number(n)})
	}
	reply, err := write(r, req)
	if err != nil {
		return err
	}
	key := req.Mutations[127].Key
	read := cairn.Read{Keyspace: keyspace, Level: cairn.Level(n % 3), Index: reply.Index}
	var located cairn.LocateReply
	if err := r.Locate(context.Background(), &cairn.LocateRequest{Read: read, WithAttributes: true, Keys: []cairn.Key{key}}, &located); err != nil {
		return err
	}
	got := located.Results[0]
	if value, _ := got.Attributes.Get(1); got.State != cairn.Found || value.Int() != int64(n) {
		return fmt.Errorf("key %s, written as %d at %d, is %+v", key, n, reply.Index, got)
	}
	return nil
}

// listAll lists everything, page by page.
func listAll(r *Replica) error {
	req := &cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace}, Limit: 1000}
	for {
		reply, err := r.List(context.Background(), req)
		if err != nil {
			return err
		}
		if !slices.IsSortedFunc(reply.Entries, func(a, b cairn.Entry) int { return bytes.Compare(a.Key, b.Key) }) {
			return fmt.Errorf("a page after %s is not in order", req.Start)
		}
		if !reply.More {
			return nil
		}
		req.Start = append(slices.Clone(reply.Entries[len(reply.Entries)-1].Key), 0)
	}
}
