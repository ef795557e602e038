package replica

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
)

func TestWritesSurviveReopening(t *testing.T) {
	config := configure(t.TempDir())
	r := open(t, config)
	reply := mustWrite(t, r, put(1, "a", "b"))
	if reply.Revision != 10 || reply.Index == 0 || reply.Results[0].Stamp.Epoch != 5 || len(reply.Results[0].Nodes) != 1 {
		t.Errorf("reply %+v", reply)
	}
	mustWrite(t, r, put(2, "b"))
	closeAndCheck(t, r)

	start := time.Now()
	again, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("opening took %s", took)
	}
	defer closeAndCheck(t, again)
	for key, want := range map[string]int{"a": 1, "b": 2} {
		for _, level := range []cairn.Level{cairn.Eventual, cairn.Linearizable} {
			if got, found := find(t, again, cairn.Read{Level: level, Epoch: 10}, key); !found || got != want {
				t.Errorf("%s at %s: %d, %v", key, level, got, found)
			}
		}
	}
	if _, found := find(t, again, cairn.Read{}, "c"); found {
		t.Error("c was never written")
	}
	page, err := again.List(t.Context(), &cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace}, Limit: 10})
	if err != nil || len(page.Entries) != 2 {
		t.Errorf("list: %+v, %v", page, err)
	}
	status, err := again.Status(t.Context(), 0)
	if err != nil || status.Entries != 2 || status.Replica != "in-process" || status.WriteRefusal != "" || status.MapRevision != 10 {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestClosed(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var reply cairn.LocateReply
	if err := r.Locate(t.Context(), &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace}}, &reply); cairn.ReasonOf(err) != "CLOSED" {
		t.Errorf("locate: %v", err)
	}
	if _, err := r.Write(t.Context(), put(1, "a")); cairn.ReasonOf(err) != "CLOSED" {
		t.Errorf("write: %v", err)
	}
	if err := r.Assign(t.Context(), assignment(t, 11)); cairn.ReasonOf(err) != "CLOSED" {
		t.Errorf("assign: %v", err)
	}
	linearizable := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.Linearizable}}
	if err := r.Locate(t.Context(), linearizable, &reply); cairn.ReasonOf(err) != "CLOSED" {
		t.Errorf("linearizable locate: %v", err)
	}
}

func TestDirectoryInUse(t *testing.T) {
	config := configure(t.TempDir())
	open(t, config)
	if _, err := Open(config); cairn.ReasonOf(err) != "DATA_DIR_IN_USE" {
		t.Errorf("a second replica: %v", err)
	}
}

func TestLostLogIsRefused(t *testing.T) {
	config := configure(t.TempDir())
	config.CheckpointBytes = 1
	r := open(t, config)
	mustWrite(t, r, put(1, "a"))
	eventually(t, "a checkpoint", func() bool { return r.index.Checkpointed().Index > 0 })
	closeAndCheck(t, r)
	if err := os.Rename(filepath.Join(config.Dir, "log"), filepath.Join(config.Dir, "lost")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(config); cairn.KindOf(err) != cairn.KindCorrupt || cairn.ReasonOf(err) != "LOG_MISSING" {
		t.Errorf("without its log: %v", err)
	}
}

func TestManyWritersShareCommands(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	before, _ := r.index.Position()
	const writers, each = 32, 40
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				if _, err := write(r, put(i, fmt.Sprintf("w%d", w), fmt.Sprintf("w%d-%d", w, i))); err != nil {
					t.Error(err)
				}
				if got, _ := find(t, r, cairn.Read{}, fmt.Sprintf("w%d", w)); got != i {
					t.Errorf("an acknowledged write is not seen: %d, want %d", got, i)
				}
			}
		})
	}
	running.Wait()
	after, _ := r.index.Position()
	if commands := after - before; commands > writers*each*3/4 {
		t.Errorf("%d commands for %d writes", commands, writers*each)
	}
}

func TestEndedContexts(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// A read that needs no wait is answered all the same.
	var reply cairn.LocateReply
	request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Epoch: 10}, Keys: []cairn.Key{cairn.Key("a")}}
	if err := r.Locate(ended, request, &reply); err != nil {
		t.Errorf("locate: %v", err)
	}
	request.Level, request.Index = cairn.AtLeast, 1<<40
	if err := r.Locate(ended, request, &reply); cairn.KindOf(err) != cairn.KindNotYet {
		t.Errorf("a locate that must wait: %v", err)
	}
	_, err := r.Write(ended, put(1, "a"))
	if kind := cairn.KindOf(err); err != nil && kind != cairn.KindDeadline && kind != cairn.KindUnknown {
		t.Errorf("write: %v", err)
	}
}

// TestAgainstAModel writes, deletes, checkpoints and reopens at random.
func TestAgainstAModel(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		// Each one opens files a dozen times.
		if err := checks.Value.Set("15"); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "model")
		if err != nil {
			rt.Fatal(err)
		}
		config := configure(dir)
		config.SegmentBytes = 8 << 10
		config.CheckpointBytes = 2 << 10
		r, err := Open(config)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { closeAndCheck(t, r) }()
		if err := r.Assign(t.Context(), assignment(t, 10)); err != nil {
			rt.Fatal(err)
		}
		model := map[string]int{}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"})
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				keys := rapid.SliceOfN(key, 1, 30).Draw(rt, "keys")
				n := rapid.IntRange(0, 99).Draw(rt, "n")
				if _, err := write(r, put(n, keys...)); err != nil {
					rt.Fatal(err)
				}
				for _, k := range keys {
					model[k] = n
				}
			},
			"delete": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				req := &cairn.WriteRequest{Keyspace: keyspace, Mutations: []cairn.Mutation{{Operation: cairn.Delete, Key: cairn.Key(k)}}}
				reply, err := write(r, req)
				if err != nil {
					rt.Fatal(err)
				}
				if _, had := model[k]; reply.Results[0].Existed != had {
					rt.Fatalf("deleting %s: existed %v", k, reply.Results[0].Existed)
				}
				delete(model, k)
			},
			"checkpoint": func(rt *rapid.T) { r.checkpoint() },
			"reopen": func(rt *rapid.T) {
				closeAndCheck(t, r)
				if r, err = Open(config); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				for _, k := range []string{"a", "b", "c", "d", "e", "f", "g"} {
					got, found := find(t, r, cairn.Read{}, k)
					if want, has := model[k]; found != has || got != want {
						rt.Fatalf("%s is %d, %v; want %d, %v", k, got, found, want, has)
					}
				}
			},
		})
	})
}
