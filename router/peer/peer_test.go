package peer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cairn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func locate(ctx context.Context, p interface {
	Locate(context.Context, *cairn.LocateRequest, *cairn.LocateReply) error
}, keyspace cairn.UID, keys ...string) (*cairn.LocateReply, error) {
	req := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace}}
	for _, key := range keys {
		req.Keys = append(req.Keys, cairn.Key(key))
	}
	reply := new(cairn.LocateReply)
	return reply, p.Locate(ctx, req, reply)
}

func put(keyspace cairn.UID, keys ...string) *cairn.WriteRequest {
	req := &cairn.WriteRequest{Keyspace: keyspace}
	for _, key := range keys {
		req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: cairn.Key(key)})
	}
	return req
}

func TestCallsCarryEverything(t *testing.T) {
	index := &trivial{}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	ctx := t.Context()

	reply, err := locate(ctx, p, 1, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if reply.Revision != 5 || reply.Index != 9 || len(reply.Results) != 2 || reply.Results[1].State != cairn.Found ||
		reply.Results[1].Stamp != (cairn.Stamp{Epoch: 3, Index: 9}) || !slices.Equal(reply.Results[1].Nodes, trivialNodes) {
		t.Errorf("locate: %+v", reply)
	}
	written, err := p.Write(ctx, put(1, "a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	if len(written.Results) != 3 || written.Results[2].Version.Position != 2 || index.writes.Load() != 3 {
		t.Errorf("write: %+v", written)
	}
	page, err := p.List(ctx, &cairn.ListRequest{Start: cairn.Key("a"), Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !page.More || page.Fingerprint != 77 || len(page.Entries) != 1 || string(page.Entries[0].Key) != "a" {
		t.Errorf("list: %+v", page)
	}
	status, err := p.Status(ctx, 12)
	if err != nil {
		t.Fatal(err)
	}
	if status.MapRevision != 12 || status.NodeEntries[1] != 4 || status.Shards[0].Entries != 5 || status.WriteRefusal != "full" ||
		status.Replica != p.Address() || status.CheckpointAge != int64(time.Second) || status.ViewBytes != 4096 || !slices.Equal(status.Views, trivialViews) {
		t.Errorf("status: %+v", status)
	}
	_, err = locate(ctx, p, brokenKeyspace, "k")
	var e *cairn.Error
	if !errors.As(err, &e) || e.Kind != cairn.KindInvalid || e.Reason != "KEY_EMPTY" || e.Field != "key" || string(e.Key) != "k" {
		t.Errorf("an error came as %#v", err)
	}
	if _, err := p.Write(ctx, put(brokenKeyspace, "k")); cairn.ReasonOf(err) != "KEY_EMPTY" {
		t.Errorf("a write's error came as %v", err)
	}
}

func TestManyCallersGetTheirOwnAnswers(t *testing.T) {
	p := dial(t, serve(t, &trivial{}, "127.0.0.1:0").address)
	var callers sync.WaitGroup
	for caller := range 64 {
		callers.Go(func() {
			for i := range 50 {
				n := 1 + (caller*31+i*7)%300
				keys := make([]string, n)
				for i := range keys {
					keys[i] = fmt.Sprint("key ", i)
				}
				reply, err := locate(t.Context(), p, 1, keys...)
				if err != nil || len(reply.Results) != n {
					t.Errorf("%d keys: %d results, %v", n, len(reply.Results), err)
				}
				if reply, err := p.Write(t.Context(), put(1, keys...)); err != nil || len(reply.Results) != n {
					t.Errorf("%d writes: %v", n, err)
				}
			}
		})
	}
	callers.Wait()
}

func TestWaitingCallsHoldNobodyUp(t *testing.T) {
	index := &trivial{stuck: make(chan struct{})}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() {
			if _, err := locate(ctx, p, stuckKeyspace, "k"); err != nil {
				t.Error(err)
			}
			if _, err := p.Write(ctx, put(stuckKeyspace, "k")); err != nil {
				t.Error(err)
			}
		})
	}
	for range 20 {
		if _, err := locate(ctx, p, 1, "k"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(ctx, put(1, "k")); err != nil {
			t.Fatal(err)
		}
	}
	close(index.stuck)
	waiting.Wait()
}

func TestDeadlinesAndCancellation(t *testing.T) {
	index := &trivial{stuck: make(chan struct{})}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 30*time.Millisecond)
		},
		"cancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(30*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := end(t.Context())
		_, err := locate(ctx, p, stuckKeyspace, "k")
		if kind := cairn.KindOf(err); kind != cairn.KindDeadline && kind != cairn.KindNotYet {
			t.Errorf("%s: locate: %v", name, err)
		}
		cancel()
		ctx, cancel = end(t.Context())
		_, err = p.Write(ctx, put(stuckKeyspace, "k"))
		if kind := cairn.KindOf(err); kind != cairn.KindUnknown && kind != cairn.KindNotYet {
			t.Errorf("%s: write: %v", name, err)
		}
		cancel()
		if _, err := p.Write(ctx, put(1, "k")); cairn.KindOf(err) != cairn.KindDeadline {
			t.Errorf("%s: a write after the end: %v", name, err)
		}
	}
	if index.writes.Load() != 0 {
		t.Error("a write took effect after its end")
	}
	if _, err := locate(t.Context(), p, 1, "k"); err != nil {
		t.Errorf("after cancelled calls: %v", err)
	}
}

func TestServerGone(t *testing.T) {
	index := &trivial{stuck: make(chan struct{})}
	first := serve(t, index, "127.0.0.1:0")
	p := dial(t, first.address)
	if _, err := p.Write(t.Context(), put(1, "k")); err != nil {
		t.Fatal(err)
	}
	failures := make(chan error, 2)
	go func() { _, err := locate(t.Context(), p, stuckKeyspace, "k"); failures <- err }()
	go func() { _, err := p.Write(t.Context(), put(stuckKeyspace, "k")); failures <- err }()
	time.Sleep(50 * time.Millisecond) // until both are sent
	first.kill()
	kinds := []cairn.Kind{}
	for range 2 {
		err := <-failures
		kinds = append(kinds, cairn.KindOf(err))
		if !strings.Contains(err.Error(), first.address) {
			t.Errorf("does not say whom: %v", err)
		}
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []cairn.Kind{cairn.KindUnavailable, cairn.KindUnknown}) {
		t.Errorf("a read and a write under way became %v", kinds)
	}
	// Nothing listens: surely not sent.
	if _, err := p.Write(t.Context(), put(1, "k")); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("a write to nobody: %v", err)
	}
	if _, err := locate(t.Context(), p, 1, "k"); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("a locate to nobody: %v", err)
	}
	// It comes back at the same address.
	serve(t, index, first.address)
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := p.Write(t.Context(), put(1, "k")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("not connected again: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestGracefulStopLosesNoCall(t *testing.T) {
	index := &trivial{}
	first := serve(t, index, "127.0.0.1:0")
	p := dial(t, first.address)
	stop, done := context.WithCancel(t.Context())
	defer done()
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for stop.Err() == nil {
				if _, err := p.Write(t.Context(), put(1, "k")); err != nil && cairn.KindOf(err) != cairn.KindUnavailable {
					t.Errorf("a write over a graceful stop: %v", err)
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	first.Drain()
	ended := make(chan struct{})
	go func() { first.grpc.GracefulStop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the server does not come to its end")
	}
	done()
	callers.Wait()
}

func TestWatch(t *testing.T) {
	entry := &cairn.Entry{Key: cairn.Key("k"), Nodes: trivialNodes, Attributes: make(cairn.Attributes, 300<<10)}
	big := cairn.WatchBatch{Answer: cairn.Answer{Revision: 5, Index: 12}}
	for i := range 20 {
		big.Changes = append(big.Changes, cairn.Change{Key: entry.Key, Shard: 1, After: entry, Stamp: cairn.Stamp{Epoch: 3, Index: uint64(10 + i/10)}, Time: time.UnixMicro(7).UTC()})
	}
	index := &trivial{changes: []cairn.WatchBatch{{Answer: cairn.Answer{Revision: 5, Index: 9}}, big}}
	e := serve(t, index, "127.0.0.1:0")
	p := dial(t, e.address)
	var got []cairn.WatchBatch
	enough := errors.New("enough")
	err := p.Watch(t.Context(), cairn.WatchRequest{Keyspace: 1, After: 8}, func(batch cairn.WatchBatch) error {
		got = append(got, batch)
		if batch.Index == 12 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if len(got[0].Changes) != 0 || got[0].Index != 9 || len(got) < 3 {
		t.Errorf("%d batches, the first %+v", len(got), got[0])
	}
	changes, upTo := 0, uint64(0)
	for _, batch := range got {
		for _, change := range batch.Changes {
			if change.Stamp.Index <= upTo {
				t.Fatalf("a change at %d after a batch that said all up to %d", change.Stamp.Index, upTo)
			}
		}
		changes, upTo = changes+len(batch.Changes), batch.Index
	}
	if changes != len(big.Changes) {
		t.Errorf("%d changes", changes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := p.Watch(ctx, cairn.WatchRequest{Keyspace: 1}, func(cairn.WatchBatch) error { return nil }); cairn.KindOf(err) != cairn.KindDeadline {
		t.Errorf("a cancelled watch: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, e.Drain)
	err = p.Watch(t.Context(), cairn.WatchRequest{Keyspace: 1}, func(cairn.WatchBatch) error { return nil })
	if cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "SHUTTING_DOWN" {
		t.Errorf("a watch of a server that stops: %v", err)
	}
}

func TestTooLargeARequest(t *testing.T) {
	p := dial(t, serve(t, &trivial{}, "127.0.0.1:0").address)
	keys := make([]string, 17<<10)
	for i := range keys {
		keys[i] = strings.Repeat("k", cairn.MaxKeyLength)
	}
	if _, err := locate(t.Context(), p, 1, keys...); cairn.ReasonOf(err) != "REQUEST_TOO_LARGE" {
		t.Errorf("17 MiB of keys: %v", err)
	}
	if _, err := locate(t.Context(), p, 1, keys[:cairn.MaxBatch+1]...); cairn.ReasonOf(err) != "BATCH_TOO_LARGE" {
		t.Errorf("10,001 keys: %v", err)
	}
	if _, err := locate(t.Context(), p, 1, "k"); err != nil {
		t.Errorf("the stream did not survive it: %v", err)
	}
}

func TestClose(t *testing.T) {
	index := &trivial{stuck: make(chan struct{})}
	p := dial(t, serve(t, index, "127.0.0.1:0").address)
	failed := make(chan error, 1)
	go func() { _, err := locate(t.Context(), p, stuckKeyspace, "k"); failed <- err }()
	time.Sleep(30 * time.Millisecond)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("a call under way: %v", err)
	}
	if _, err := locate(t.Context(), p, 1, "k"); cairn.ReasonOf(err) != "PEER_CLOSED" {
		t.Errorf("a call after Close: %v", err)
	}
}
