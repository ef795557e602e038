package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"cairn"
	moverv1 "cairn/proto/cairn/mover/v1"
)

// bench is a mover, a source and a target, and a move between them.
type bench struct {
	t        *testing.T
	mover    *Mover
	from, to *node
	move     *moverv1.Move
}

const placed = "80" // the placement key of all keys here

func openBench(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	b := &bench{t: t, mover: NewMover()}
	t.Cleanup(func() { b.mover.Close() })
	var sides []*moverv1.Side
	for _, name := range []string{"north", "south"} {
		address := freeAddress(t)
		startRedis(ctx, t, redisServer(t), address)
		sides = append(sides, &moverv1.Side{Cluster: name, Nodes: []*moverv1.Node{{Number: 1, Name: name + "-0", Address: address}}})
	}
	b.from, b.to = openNode(sides[0].GetNodes()[0].GetAddress()), openNode(sides[1].GetNodes()[0].GetAddress())
	t.Cleanup(func() {
		b.from.redis.Close()
		b.to.redis.Close()
	})
	b.move = &moverv1.Move{Id: "1", Attempt: 1, Revision: 20, Keyspace: "things", Epoch: 10, From: sides[0], To: sides[1]}
	return b
}

// redisServer is the binary. In CI it must be there.
func redisServer(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatal("there is no redis-server; Debian's package redis-server has it")
	case err != nil:
		t.Skip("there is no redis-server; Debian's package redis-server has it")
	}
	return binary
}

// write writes a value under an epoch, and wants it to be taken, or refused with a code.
func (b *bench) write(n *node, epoch uint64, key, value, refusal string) {
	b.t.Helper()
	if _, err := n.run(b.t.Context(), "write", "things", placed, epoch, key, value); cairn.ReasonOf(err) != refusal {
		b.t.Fatalf("a write of %s: %v; want %q", key, err, refusal)
	}
}

func (b *bench) value(n *node, key string) string {
	b.t.Helper()
	text, err := n.redis.Get(b.t.Context(), "cairn:value:things:"+key).Result()
	if err != nil {
		return ""
	}
	return text
}

// answer is the response to any call.
type answer interface{ GetProgress() *moverv1.Progress }

// call makes a call, and wants it to end with a code.
func (b *bench) call(want codes.Code, ask func() (answer, error)) *moverv1.Progress {
	b.t.Helper()
	response, err := ask()
	if grpcstatus.Code(err) != want {
		b.t.Fatalf("%v; want %s", err, want)
	}
	return response.GetProgress()
}

// The calls that are made more than once.
func (b *bench) prepare(want codes.Code, m *moverv1.Move) *moverv1.Progress {
	b.t.Helper()
	return b.call(want, func() (answer, error) {
		return b.mover.Prepare(b.t.Context(), &moverv1.PrepareRequest{Move: m})
	})
}

func (b *bench) copy(want codes.Code, m *moverv1.Move, after, last string, keys ...string) *moverv1.Progress {
	b.t.Helper()
	return b.call(want, func() (answer, error) {
		return b.mover.Copy(b.t.Context(), &moverv1.CopyRequest{Move: m, Keys: moved(keys...), After: []byte(after), Last: []byte(last), Done: last == "end", Index: 5})
	})
}

func (b *bench) catchUp(want codes.Code, m *moverv1.Move, after, through uint64, keys ...*moverv1.MovedKey) *moverv1.Progress {
	b.t.Helper()
	return b.call(want, func() (answer, error) {
		return b.mover.CatchUp(b.t.Context(), &moverv1.CatchUpRequest{Move: m, Keys: keys, After: after, Through: through})
	})
}

func (b *bench) fence(want codes.Code, m *moverv1.Move) *moverv1.Progress {
	b.t.Helper()
	return b.call(want, func() (answer, error) {
		return b.mover.Fence(b.t.Context(), &moverv1.FenceRequest{Move: m})
	})
}

func (b *bench) drain(want codes.Code, m *moverv1.Move) *moverv1.Progress {
	b.t.Helper()
	return b.call(want, func() (answer, error) {
		return b.mover.Drain(b.t.Context(), &moverv1.DrainRequest{Move: m})
	})
}

func (b *bench) verify(m *moverv1.Move) (differing []string) {
	b.t.Helper()
	b.call(codes.OK, func() (answer, error) {
		response, err := b.mover.Verify(b.t.Context(), &moverv1.VerifyRequest{Move: m})
		for _, key := range response.GetDiffering() {
			differing = append(differing, string(key))
		}
		return response, err
	})
	return differing
}

func (b *bench) cleanUp(want codes.Code, m *moverv1.Move, outcome moverv1.CleanUpRequest_Outcome) {
	b.t.Helper()
	b.call(want, func() (answer, error) {
		return b.mover.CleanUp(b.t.Context(), &moverv1.CleanUpRequest{Move: m, Outcome: outcome})
	})
}

func (b *bench) at(revision, fence uint64) *moverv1.Move {
	m := b.move
	return &moverv1.Move{
		Id: m.GetId(), Attempt: m.GetAttempt(), Revision: revision, Fence: fence, Keyspace: m.GetKeyspace(), Epoch: m.GetEpoch(), From: m.GetFrom(), To: m.GetTo(),
	}
}

func moved(keys ...string) (out []*moverv1.MovedKey) {
	for _, key := range keys {
		out = append(out, &moverv1.MovedKey{Key: []byte(key), From: []uint32{1}, To: []uint32{1}})
	}
	return out
}

// TestCalls makes the calls of a move, late ones between, and of a move back.
func TestCalls(t *testing.T) {
	b := openBench(t)
	var all []string
	for i := range 3 * chunk {
		all = append(all, fmt.Sprint("k", i))
		b.write(b.from, 10, all[i], "1", "")
	}
	b.copy(codes.FailedPrecondition, b.at(20, 0), "", "half", all...)
	b.prepare(codes.OK, b.at(20, 0))
	b.write(b.to, 99, "k0", "early", "CAIRNCLOSED")
	b.write(b.from, 9, "k0", "of an epoch before", "CAIRNEPOCH")
	b.copy(codes.OK, b.at(20, 0), "", "half", all[:chunk]...)
	if p := b.copy(codes.OK, b.at(20, 0), "", "half", all...); p.GetValuesCopied() != chunk {
		t.Errorf("a part that comes again: %s", p)
	}
	p := b.copy(codes.OK, b.at(20, 0), "half", "end", all[chunk:]...)
	if !p.GetComplete() || p.GetThrough() != 5 || p.GetValuesCopied() != uint64(len(all)) {
		t.Errorf("after the copy: %s", p)
	}
	b.write(b.from, 10, "k1", "2", "")
	b.write(b.from, 10, "new", "1", "")
	b.catchUp(codes.Aborted, b.at(21, 0), 6, 7)
	p = b.catchUp(codes.OK, b.at(21, 0), 5, 7, append(moved("new"), &moverv1.MovedKey{Key: []byte("k2"), Gone: true})...)
	if p.GetThrough() != 7 || !p.GetCaughtUp() || b.value(b.to, "k1") != "2" || b.value(b.to, "new") != "1" || b.value(b.to, "k2") != "" {
		t.Errorf("caught up: %s; it has %q, %q and %q", p, b.value(b.to, "k1"), b.value(b.to, "new"), b.value(b.to, "k2"))
	}
	b.write(b.from, 10, "k3", "3", "")
	b.drain(codes.FailedPrecondition, b.at(22, 21))
	b.fence(codes.OK, b.at(22, 21))
	b.catchUp(codes.Aborted, b.at(21, 0), 7, 8)
	b.write(b.from, 10, "k3", "4", "CAIRNFENCED")
	if p := b.drain(codes.OK, b.at(22, 21)); p.GetDrained() != 21 || b.value(b.to, "k3") != "3" {
		t.Errorf("drained: %s; it has %q", p, b.value(b.to, "k3"))
	}
	if differing := b.verify(b.at(22, 21)); len(differing) > 0 {
		t.Errorf("%q differ", differing)
	}
	commit := func() (answer, error) {
		return b.mover.Commit(t.Context(), &moverv1.CommitRequest{Move: b.at(23, 21), Epoch: 23})
	}
	b.call(codes.OK, commit)
	b.write(b.from, 10, "k0", "of an epoch before", "CAIRNEPOCH")
	b.write(b.to, 10, "k0", "of an epoch before", "CAIRNEPOCH")
	b.write(b.to, 23, "k0", "after", "")
	b.call(codes.OK, commit) // again
	b.fence(codes.Aborted, b.at(22, 21))
	if b.value(b.to, "k0") != "after" {
		t.Errorf("after a commit that came again: %q", b.value(b.to, "k0"))
	}

	// Back, while the source still has what it had.
	cleanUp := b.at(99, 21)
	b.move = &moverv1.Move{Id: "2", Attempt: 1, Keyspace: "things", Epoch: 23, From: b.move.GetTo(), To: b.move.GetFrom()}
	b.prepare(codes.OK, b.at(30, 0))
	b.cleanUp(codes.Aborted, cleanUp, moverv1.CleanUpRequest_COMMITTED)
	if b.value(b.from, "k1") != "" {
		t.Error("what the move before has left is still there")
	}
	b.copy(codes.OK, b.at(30, 0), "", "end", "k0")
	b.cleanUp(codes.OK, b.at(31, 0), moverv1.CleanUpRequest_CANCELLED)
	if b.value(b.from, "k0") != "" || b.value(b.to, "k0") != "after" {
		t.Errorf("cancelled, there are %q and %q", b.value(b.from, "k0"), b.value(b.to, "k0"))
	}
	b.prepare(codes.Aborted, b.at(30, 0))
	b.write(b.to, 23, "k0", "on", "")
	b.write(b.from, 23, "k0", "on", "CAIRNEPOCH")
	b.write(b.from, 40, "k0", "by other means", "")
}

// TestDifference: a value that is not what it was copied as is found, of whatever type.
func TestDifference(t *testing.T) {
	b := openBench(t)
	keys := []string{"list", "set", "zset", "hash", "string"}
	pipe, at := b.from.redis.Pipeline(), "cairn:value:things:"
	for i := range 1_000 { // more than a node keeps in a short form
		pipe.RPush(t.Context(), at+"list", i)
		pipe.SAdd(t.Context(), at+"set", fmt.Sprint("m", i*7919%1_000))
		pipe.HSet(t.Context(), at+"hash", fmt.Sprint("f", i*7919%1_000), i)
		pipe.ZIncrBy(t.Context(), at+"zset", float64(i), fmt.Sprint(i))
		pipe.Append(t.Context(), at+"string", fmt.Sprint(i))
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.prepare(codes.OK, b.at(20, 0))
	b.copy(codes.OK, b.at(20, 0), "", "end", keys...)
	b.fence(codes.OK, b.at(21, 20))
	b.drain(codes.OK, b.at(21, 20))
	if err := b.to.redis.HSet(t.Context(), "cairn:value:things:hash", "f1", "tampered").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.to.redis.LSet(t.Context(), "cairn:value:things:list", 3, "tampered").Err(); err != nil {
		t.Fatal(err)
	}
	if differing := b.verify(b.at(21, 20)); !slices.Equal(differing, []string{"hash", "list"}) {
		t.Errorf("%q differ", differing)
	}
}

// TestOvertaken: what a call does at a node is nothing once another mover has begun one,
// which knows nothing of what the first did, and so begins anew; the fence stands.
func TestOvertaken(t *testing.T) {
	b := openBench(t)
	b.write(b.from, 10, "k", "1", "")
	b.prepare(codes.OK, b.at(20, 0))
	b.copy(codes.OK, b.at(20, 0), "", "end", "k")
	b.fence(codes.OK, b.at(21, 20))
	first, err := b.mover.begin(t.Context(), b.at(21, 20))
	if err != nil {
		t.Fatal(err)
	}
	other := NewMover()
	t.Cleanup(other.Close)
	if _, err := other.Drain(t.Context(), &moverv1.DrainRequest{Move: b.at(21, 20)}); grpcstatus.Code(err) != codes.FailedPrecondition {
		t.Errorf("of another mover that was not told to prepare: %v", err)
	}
	if err := first.copy(t.Context(), first.from[1], places{"k": "1"}); cairn.KindOf(err) != cairn.KindConflict {
		t.Errorf("of the mover that was overtaken: %v", err)
	}
	first.mu.Unlock()
	anew, err := other.Prepare(t.Context(), &moverv1.PrepareRequest{Move: b.at(21, 20)})
	if err != nil || anew.GetProgress().GetFence() != 20 || anew.GetProgress().GetComplete() {
		t.Errorf("anew: %s, %v", anew, err)
	}
	b.write(b.from, 10, "k", "2", "CAIRNFENCED")
	b.drain(codes.FailedPrecondition, b.at(21, 20)) // of the first
}
