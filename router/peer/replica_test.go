package peer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/replica"
)

const things = cairn.UID(0x11)

func assignment(revision uint64) (cairn.Assignment, error) {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 1, Name: "n", Type: cairn.TypeInt}})
	return cairn.Assignment{
		Revision:  revision,
		Keyspaces: []cairn.Keyspace{{UID: things, Name: "things", Placement: cairn.Placement{Scheme: cairn.SchemeRange}, Replicas: 1, Schema: schema}},
		Nodes:     []cairn.Node{{ID: 1, Name: "a", Address: "10.0.0.1:1", Weight: 1, State: cairn.NodeActive}},
		Shards:    []cairn.Shard{{Keyspace: things, ID: 1, End: []byte("m"), Epoch: 5}},
	}, err
}

// start opens a replica that owns the keys below "m".
func start(t testing.TB) *replica.Replica {
	t.Helper()
	r, err := replica.Open(replica.Config{
		Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Heartbeat: 20 * time.Millisecond,
		FreeSpace: func(string) (uint64, error) { return 1 << 40, nil },
		Refresh:   func(_ context.Context, revision uint64) (cairn.Assignment, error) { return assignment(revision) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	first, err := assignment(10)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEndToEnd goes through real sockets to a real replica.
func TestEndToEnd(t *testing.T) {
	p := dial(t, serve(t, start(t), "127.0.0.1:0").address)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 1, Value: cairn.Int(7)}})
	if err != nil {
		t.Fatal(err)
	}
	written, err := p.Write(ctx, &cairn.WriteRequest{Keyspace: things, Epoch: 12, Mutations: []cairn.Mutation{
		{Operation: cairn.Put, Key: cairn.Key("a"), Attributes: attributes},
		{Operation: cairn.Put, Key: cairn.Key("a"), Condition: cairn.Condition{Present: true}},
		{Operation: cairn.Put, Key: cairn.Key("z")},
		{Operation: cairn.Put, Key: cairn.Key("b"), Nodes: []cairn.NodeID{9}},
		{Operation: cairn.Put},
		{Operation: cairn.Put, Key: cairn.Key("c")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if written.Revision < 12 {
		t.Errorf("revision %d is older than the request's epoch", written.Revision)
	}
	kinds := []cairn.Kind{0, cairn.KindPrecondition, cairn.KindStale, cairn.KindInvalid, cairn.KindInvalid, 0}
	for i, result := range written.Results {
		switch {
		case kinds[i] == 0 && result.Err != nil, kinds[i] != 0 && (result.Err == nil || result.Err.Kind != kinds[i]):
			t.Errorf("mutation %d: %v, want kind %s", i, result.Err, kinds[i])
		case kinds[i] == 0 && (result.Existed || result.Stamp.Epoch != 5 || result.Version.Index != written.Index || len(result.Nodes) != 1):
			t.Errorf("mutation %d: %+v", i, result)
		}
	}
	for _, level := range []cairn.Level{cairn.Eventual, cairn.AtLeast, cairn.Linearizable} {
		var reply cairn.LocateReply
		request := &cairn.LocateRequest{
			Read: cairn.Read{Keyspace: things, Epoch: 12, Level: level, Index: written.Index}, WithAttributes: true,
			Keys: []cairn.Key{cairn.Key("a"), cairn.Key("b"), cairn.Key("z")},
		}
		if err := p.Locate(ctx, request, &reply); err != nil {
			t.Fatalf("%s: %v", level, err)
		}
		a := reply.Results[0]
		if value, _ := a.Attributes.Get(1); a.State != cairn.Found || value.Int() != 7 || a.Version != written.Results[0].Version || a.Stamp.Epoch != 5 {
			t.Errorf("%s: %+v", level, a)
		}
		if reply.Results[1].State != cairn.Absent || reply.Results[2].State != cairn.NotOwned {
			t.Errorf("%s: %+v", level, reply.Results)
		}
	}
	page, err := p.List(ctx, &cairn.ListRequest{Read: cairn.Read{Keyspace: things}, Limit: 1})
	if err != nil || len(page.Entries) != 1 || !page.More || page.Fingerprint != cairn.Fingerprint(0).Add(1, 5) {
		t.Errorf("list: %+v, %v", page, err)
	}
	status, err := p.Status(ctx, 14)
	if err != nil || status.Entries != 2 || status.MapRevision < 14 {
		t.Errorf("status: %+v, %v", status, err)
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	err = p.Locate(short, &cairn.LocateRequest{Read: cairn.Read{Keyspace: things, Level: cairn.AtLeast, Index: 1 << 40}}, new(cairn.LocateReply))
	if kind := cairn.KindOf(err); kind != cairn.KindNotYet && kind != cairn.KindDeadline {
		t.Errorf("an index that is not reached: %v", err)
	}
}

// TestWatchEndToEnd sees every write of many writers, in order.
func TestWatchEndToEnd(t *testing.T) {
	p := dial(t, serve(t, start(t), "127.0.0.1:0").address)
	first, err := p.Write(t.Context(), put(things, "a"))
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 50
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				if _, err := p.Write(t.Context(), put(things, fmt.Sprintf("k%d-%d", w, i), "a")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	enough := errors.New("enough")
	changes, last := 0, first.Index
	err = p.Watch(t.Context(), cairn.WatchRequest{Keyspace: things, After: first.Index}, func(batch cairn.WatchBatch) error {
		for _, change := range batch.Changes {
			if change.Stamp.Index < last || change.After == nil || (string(change.Key) == "a") != (change.Before != nil) {
				t.Errorf("change %+v after index %d", change, last)
			}
			last = change.Stamp.Index
		}
		if changes += len(batch.Changes); changes == 2*writers*each {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("%d changes: %v", changes, err)
	}
	running.Wait()
	err = p.Watch(t.Context(), cairn.WatchRequest{Keyspace: 99}, func(cairn.WatchBatch) error { return nil })
	if cairn.KindOf(err) != cairn.KindStale {
		t.Errorf("a keyspace that is not there: %v", err)
	}
}

// BenchmarkDurableWrite is writes through Peer, server and replica, synced.
func BenchmarkDurableWrite(b *testing.B) {
	p := dial(b, serve(b, start(b), "127.0.0.1:0").address)
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				req := &cairn.WriteRequest{Keyspace: things, Mutations: make([]cairn.Mutation, batch)}
				caller := cairn.NewUID()
				for n := 0; pb.Next(); n++ {
					for i := range req.Mutations {
						req.Mutations[i] = cairn.Mutation{Operation: cairn.Put, Key: fmt.Appendf(nil, "%x-%d-%d", uint64(caller), n, i)}
					}
					if _, err := p.Write(b.Context(), req); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}
