package replica

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cairn"
	"cairn/nodeindex"
)

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

const keyspace = cairn.UID(0x11)

// assignment is one keyspace that is all ours, at a map revision.
func assignment(t testing.TB, revision uint64) cairn.Assignment {
	t.Helper()
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{{ID: 1, Name: "n", Type: cairn.TypeInt}})
	if err != nil {
		t.Fatal(err)
	}
	return cairn.Assignment{
		Revision:  revision,
		Keyspaces: []cairn.Keyspace{{UID: keyspace, Name: "things", Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: schema}},
		Nodes: []cairn.Node{
			{ID: 1, Name: "a", Address: "10.0.0.1:1", Weight: 1, State: cairn.NodeActive},
			{ID: 2, Name: "b", Address: "10.0.0.2:1", Weight: 1, State: cairn.NodeActive},
		},
		Shards:  []cairn.Shard{{Keyspace: keyspace, ID: 1, Epoch: 5}},
		Records: []cairn.Record{{Name: "cluster", Value: []byte("{}")}},
	}
}

// configure is a Config for a test: quiet, and on a disk that is never full.
func configure(dir string) Config {
	return Config{
		Dir: dir, Logger: slog.New(slog.DiscardHandler),
		FreeSpace: func(string) (uint64, error) { return 1 << 40, nil }, SegmentBytes: 1 << 20,
	}
}

// open opens a replica that owns everything at revision 10, and has its file
// checked when the test ends.
func open(t testing.TB, config Config) *Replica {
	t.Helper()
	r, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAndCheck(t, r) })
	if err := r.Assign(t.Context(), assignment(t, 10)); err != nil {
		t.Fatal(err)
	}
	return r
}

func closeAndCheck(t testing.TB, r *Replica) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	check(t, r.config.Dir)
}

func check(t testing.TB, dir string) {
	t.Helper()
	if report, err := nodeindex.Check(filepath.Join(dir, "index.db")); err != nil {
		t.Errorf("check: %v\n%v", err, report)
	}
}

func number(n int) cairn.Attributes {
	attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 1, Value: cairn.Int(int64(n))}})
	if err != nil {
		panic(err) // one attribute can't be there twice
	}
	return attributes
}

func put(n int, keys ...string) *cairn.WriteRequest {
	req := &cairn.WriteRequest{Keyspace: keyspace}
	for _, key := range keys {
		req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: cairn.Key(key), Attributes: number(n)})
	}
	return req
}

// write writes and expects every mutation to take effect.
func write(r *Replica, req *cairn.WriteRequest) (*cairn.WriteReply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	reply, err := r.Write(ctx, req)
	if err != nil {
		return nil, err
	}
	for i, result := range reply.Results {
		if result.Err != nil {
			return nil, fmt.Errorf("mutation %d: %w", i, result.Err)
		}
	}
	return reply, nil
}

func mustWrite(t testing.TB, r *Replica, req *cairn.WriteRequest) *cairn.WriteReply {
	t.Helper()
	reply, err := write(r, req)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// find is the number under a key, and whether it has an entry.
func find(t testing.TB, r *Replica, read cairn.Read, key string) (int, bool) {
	t.Helper()
	read.Keyspace = keyspace
	var reply cairn.LocateReply
	if err := r.Locate(t.Context(), &cairn.LocateRequest{Read: read, WithAttributes: true, Keys: []cairn.Key{cairn.Key(key)}}, &reply); err != nil {
		t.Fatal(err)
	}
	result := reply.Results[0]
	if result.State == cairn.NotOwned {
		t.Fatalf("key %s is not owned", key)
	}
	value, _ := result.Attributes.Get(1)
	return int(value.Int()), result.State == cairn.Found
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
