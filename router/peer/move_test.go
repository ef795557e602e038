package peer_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/nodeindex/replica"
	"cairn/router/peer"
)

// movingMap is the map that two clusters read, with one shard that one of them
// owns.
type movingMap struct {
	mu       sync.Mutex
	revision uint64
	shard    cairn.Shard
	owner    string
}

func (m *movingMap) assignment(cluster string) (cairn.Assignment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := assignment(m.revision)
	a.Shards = []cairn.Shard{m.shard}
	a.Nodes[0].Name = "of " + cluster
	if m.owner != cluster {
		a.Keyspaces, a.Shards = nil, nil
	}
	return a, err
}

// commit makes the shard another cluster's.
func (m *movingMap) commit(owner string, move cairn.UID) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision++
	m.owner, m.shard.Epoch, m.shard.Move = owner, m.revision, move
	return m.revision
}

// join opens a cluster's only replica and a client of it.
func (m *movingMap) join(t *testing.T, cluster string) *peer.Group {
	t.Helper()
	latest := func(context.Context) (cairn.Assignment, error) { return m.assignment(cluster) }
	r, err := replica.Open(replica.Config{
		Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Heartbeat: 20 * time.Millisecond,
		FreeSpace: func(string) (uint64, error) { return 1 << 40, nil },
		Refresh:   func(ctx context.Context, _ uint64) (cairn.Assignment, error) { return latest(ctx) },
		Latest:    latest,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	a, err := latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return peer.NewGroup([]*peer.Peer{dial(t, serve(t, r, "127.0.0.1:0").address)}, nil)
}

// moved moves a shard while keys are written, and returns what was acknowledged
// of each.
type moved struct {
	source, target *peer.Group
	moving         cairn.MovingShard
}

func (m *moved) copy(ctx context.Context) error {
	return m.source.CopyShard(ctx, m.moving, nil, func(part cairn.CopiedPart) error {
		_, err := m.target.StageShard(ctx, m.moving, part.Data)
		return err
	})
}

// TestMoveEndToEnd moves a shard between two real replicas over real sockets,
// while it is written.
func TestMoveEndToEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	world := &movingMap{revision: 10, shard: cairn.Shard{Keyspace: things, ID: 1, End: []byte("m"), Epoch: 5}, owner: "source"}
	m := moved{
		source: world.join(t, "source"), target: world.join(t, "target"),
		moving: cairn.MovingShard{Move: 0x99, Keyspace: things, Shard: 1, Epoch: 5, End: []byte("m")},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(g *peer.Group, n int, id cairn.RequestID, keys ...string) []cairn.Written {
		t.Helper()
		attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 1, Value: cairn.Int(int64(n))}})
		must(err)
		req := &cairn.WriteRequest{Keyspace: things, RequestID: id}
		for i, key := range keys {
			req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: cairn.Key(key), Attributes: attributes, Position: uint32(i)})
		}
		reply, err := g.Write(ctx, req)
		must(err)
		return reply.Results
	}
	for i := range 3000 {
		if i%100 == 0 {
			keys := make([]string, 100)
			for j := range keys {
				keys[j] = fmt.Sprintf("k%05d", i+j)
			}
			write(m.source, i, cairn.RequestID{}, keys...)
		}
	}
	must(m.copy(ctx))
	named := cairn.NewRequestID(time.Now())
	first := write(m.source, 7, named, "k00001", "c")
	staged, err := m.target.StagedShard(ctx, m.moving)
	must(err)
	fence, tail, err := m.source.FenceTail(ctx, m.moving, 1, staged.Through)
	must(err)
	if refused := write(m.source, 8, cairn.NewRequestID(time.Now()), "k00001"); cairn.ReasonOf(refused[0].Err) != "SHARD_FENCED" || refused[0].Err.Kind != cairn.KindUnavailable {
		t.Fatalf("a write of a fenced shard: %+v", refused)
	}
	staged, err = m.target.StageShard(ctx, m.moving, tail.Data)
	must(err)
	if staged.Sealed != 1 || staged.Digest != fence.Digest || staged.Digest.Entries != 3001 {
		t.Fatalf("staged %+v, fence %+v", staged, fence)
	}
	part, err := m.source.TailShard(ctx, m.moving, staged.Copied)
	must(err)
	moved, err := m.target.MovedKeys(ctx, m.moving, part.Data)
	must(err)
	if len(moved) != 2 || string(moved[0].Key) != "k00001" || len(moved[0].From) != 1 || len(moved[0].To) != 1 || moved[0].Gone {
		t.Fatalf("since the copy there have moved %+v", moved)
	}
	if again, nothing, err := m.source.FenceTail(ctx, m.moving, 1, 1<<40); err != nil || again.Index != fence.Index || nothing.Data != nil {
		t.Fatalf("a fence that stands, with a tail of after what there is: %+v, %d bytes, %v", again, len(nothing.Data), err)
	}
	read := func(g *peer.Group, level cairn.Level) cairn.Located {
		t.Helper()
		var reply cairn.LocateReply
		must(g.Locate(ctx, &cairn.LocateRequest{Read: cairn.Read{Keyspace: things, Level: level}, WithAttributes: true, Keys: []cairn.Key{cairn.Key("c")}}, &reply))
		return reply.Results[0]
	}
	if found := read(m.source, cairn.Linearizable); found.State != cairn.Found {
		t.Fatalf("a fenced shard that is still its owner's: %+v", found)
	}
	if found := read(m.target, cairn.Linearizable); found.State != cairn.NotOwned {
		t.Fatalf("before the commit the target has %+v", found)
	}
	revision := world.commit("target", m.moving.Move)
	// Nobody has told the source: its log does not know. It must not answer for
	// the shard any more, since the target may take writes.
	must(m.target.NoteRevision(ctx, revision))
	write(m.target, 9, cairn.NewRequestID(time.Now()), "c")
	if page, err := m.source.List(ctx, &cairn.ListRequest{Read: cairn.Read{Keyspace: things, Level: cairn.Eventual}, Limit: 1}); err != nil || len(page.Entries) != 1 {
		t.Fatalf("an eventual page of the former owner, which does not know: %+v, %v", page, err)
	}
	if page, err := m.source.List(ctx, &cairn.ListRequest{Read: cairn.Read{Keyspace: things, Level: cairn.Linearizable}, Limit: 1}); err != nil || page.Fingerprint != 0 {
		t.Fatalf("a linearizable page of the former owner: %+v, %v", page, err)
	}
	if found := read(m.source, cairn.Linearizable); found.State != cairn.NotOwned {
		t.Fatalf("a linearizable read of the former owner: %+v", found)
	}
	if again := write(m.target, 7, named, "k00001", "c"); again[0].Version != first[0].Version || again[1].Version != first[1].Version || again[0].Err != nil {
		t.Fatalf("at first %+v, after the move %+v", first, again)
	}
	if found := read(m.target, cairn.Linearizable); found.Version.Epoch != revision {
		t.Fatalf("after the retry of an older write the target has %+v", found)
	}
	if again, err := m.target.StagedShard(ctx, m.moving); err != nil || again.Copied != 0 {
		t.Fatalf("after activation %+v is staged, %v", again, err)
	}
	must(m.target.DropShard(ctx, m.moving))
	if status, err := m.target.Status(ctx, revision); err != nil || status.Entries != 3001 {
		t.Fatalf("the target holds %+v, %v", status, err)
	}
	if _, err := m.source.FenceShard(ctx, m.moving, 2, true); cairn.ReasonOf(err) != "NOT_OWNED" {
		t.Fatalf("a fence after the release: %v", err)
	}
}
