package daemon

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

const (
	// mostShards is how many shards a resharder splits into at most.
	mostShards = 40
	// fewestShards is how many it leaves each cluster.
	fewestShards = 3
)

// resharder splits, merges, moves and reverses at random while others work.
type resharder struct {
	t       *testing.T
	routers []*caller // any of which is asked
	random  *rand.Rand
	stop    context.CancelFunc
	running sync.WaitGroup
	// did counts what was carried out or begun, refused what could not be as things
	// stood.
	did     map[string]int
	refused int
	changes atomic.Int64 // the sum of did
}

func startResharding(t *testing.T, seed uint64, routers ...*caller) *resharder {
	ctx, cancel := context.WithCancel(t.Context())
	r := &resharder{t: t, routers: routers, random: rand.New(rand.NewPCG(seed, 7)), stop: cancel, did: map[string]int{}}
	r.running.Go(func() {
		for ctx.Err() == nil {
			r.reshard()
			time.Sleep(between(r.random, 0, 100*time.Millisecond))
		}
	})
	return r
}

func (r *resharder) end() {
	r.stop()
	r.running.Wait()
}

// finish ends it and waits until no move is under way.
func (r *resharder) finish() {
	r.t.Helper()
	r.end()
	eventually(r.t, "all moves have ended", func() bool {
		moves, ok := r.moves()
		for _, m := range moves {
			ok = ok && ended(m)
		}
		return ok
	})
	r.t.Logf("resharded: %v; %d refused", r.did, r.refused)
}

func ended(m *cairnv1.Move) bool {
	return m.Phase == cairnv1.Move_DONE || m.Phase == cairnv1.Move_CANCELLED
}

// ask makes a call through some router. It is false where that did not work as things
// stand, or because nobody answered; other errors fail the test.
func (r *resharder) ask(call func(context.Context, cairnv1.AdminClient) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := call(ctx, r.routers[r.random.IntN(len(r.routers))].admin)
	switch code := codeOf(err); {
	case err == nil:
		return true
	case code == codes.FailedPrecondition, code == codes.Aborted, code == codes.NotFound, rpcerr.FromError(err).Reason == "MOVE_TO_OWNER":
		r.refused++
	case !mayHeal(err):
		r.t.Errorf("resharding: %v", err)
	}
	return false
}

func (r *resharder) moves() (moves []*cairnv1.Move, ok bool) {
	ok = r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
		// Those that have ended are there, too, some hundred after a while.
		page, err := admin.ListMoves(ctx, &cairnv1.ListMovesRequest{PageSize: 1000})
		moves = page.GetMoves()
		return err
	})
	return moves, ok
}

// reshard does one thing.
func (r *resharder) reshard() {
	var shards []*cairnv1.Shard
	ok := r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
		page, err := admin.ListShards(ctx, &cairnv1.ListShardsRequest{Parent: keyspaceName})
		shards = page.GetShards()
		return err
	})
	if !ok {
		return
	}
	shard := shards[r.random.IntN(len(shards))]
	switch chance := r.random.IntN(100); {
	case chance < 20 && len(shards) < mostShards:
		r.count("split", r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
			_, err := admin.SplitShard(ctx, &cairnv1.SplitShardRequest{Name: shard.Name})
			return err
		}))
	case chance < 40:
		r.count("merge", r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
			_, err := admin.MergeShards(ctx, &cairnv1.MergeShardsRequest{Name: shard.Name})
			return err
		}))
	case chance < 75:
		r.move(shard, shards)
	default:
		r.turnBack()
	}
}

func (r *resharder) count(what string, done bool) {
	if done {
		r.did[what]++
		r.changes.Add(1)
	}
}

// goesOn waits for so many changes.
func (r *resharder) goesOn(changes int) {
	r.t.Helper()
	before := r.changes.Load()
	eventually(r.t, "shards change", func() bool { return r.changes.Load() >= before+int64(changes) })
}

// move begins to move a shard to the other cluster.
func (r *resharder) move(shard *cairnv1.Shard, shards []*cairnv1.Shard) {
	left := 0
	for _, each := range shards {
		if each.Cluster == shard.Cluster && each.Move == "" {
			left++
		}
	}
	if left <= fewestShards {
		return
	}
	to := "clusters/north"
	if shard.Cluster == to {
		to = "clusters/south"
	}
	r.count("move", r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
		_, err := admin.CreateMove(ctx, &cairnv1.CreateMoveRequest{Shard: shard.Name, To: to})
		return err
	}))
}

// turnBack reverses a move that is done, or cancels one that is not.
func (r *resharder) turnBack() {
	moves, ok := r.moves()
	moves = slices.DeleteFunc(moves, func(m *cairnv1.Move) bool { return ended(m) && m.KeptUntil == nil })
	if !ok || len(moves) == 0 {
		return
	}
	switch m := moves[r.random.IntN(len(moves))]; {
	case ended(m):
		r.count("reverse", r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
			_, err := admin.ReverseMove(ctx, &cairnv1.ReverseMoveRequest{Name: m.Name})
			return err
		}))
	case r.random.IntN(3) == 0:
		r.count("cancel", r.ask(func(ctx context.Context, admin cairnv1.AdminClient) error {
			_, err := admin.CancelMove(ctx, &cairnv1.CancelMoveRequest{Name: m.Name})
			return err
		}))
	}
}

// reshardingEnv is for how many seconds shards change without faults;
// reshardingSeconds if it is not set.
const (
	reshardingEnv     = "CAIRN_TORTURE_RESHARDING"
	reshardingSeconds = 8
)

// TestResharding has shards split, merge, move and reverse at random while clients read
// and write, and read all pages. No call fails, nothing is lost or done twice, and the
// logs of both sides are the log of one owner.
func TestResharding(t *testing.T) {
	s, m, seed := startMoving(t, "")
	replicas := map[string][]string{"north": {s.configs["north"].Listen}, "south": {s.configs["south"].Listen}}
	logs := followJournals(t, replicas)
	pages := startScans(t, seed, false, m.routers...)
	defer pages.end()
	l := startLoad(t, "moved", seed, 10*time.Second, loadedView, m.routers...)
	defer l.end()
	l.goesOn(100)
	r := startResharding(t, seed, m.routers...)
	defer r.end()
	time.Sleep(time.Duration(fromEnv(t, reshardingEnv, reshardingSeconds)) * time.Second)
	l.goesOn(100)
	r.finish()
	pages.finish()
	l.finish()
	logs.catchUp(replicas)
	if err := logs.check(l); err != nil {
		t.Error(err)
	}
	if failed := l.failed.Load(); failed > 0 {
		t.Errorf("%d calls failed", failed)
	}
	for _, what := range []string{"split", "merge", "move", "reverse"} {
		if r.did[what] == 0 {
			t.Errorf("there was no %s", what)
		}
	}
	s.terminateAll(m)
}

// terminateAll ends all processes.
func (s *spread) terminateAll(m *moving) {
	s.t.Helper()
	for _, each := range m.movers {
		each.terminate(syscall.SIGTERM)
	}
	for _, index := range s.indexes {
		index.terminate(syscall.SIGTERM)
	}
}
