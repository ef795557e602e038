package daemon

import (
	"context"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
)

const (
	// movedEntries stay as they are while shards move, in a view of their own.
	movedEntries = 3_000
	// movesEnv is how often a shard moves before the mover is killed, and after;
	// movesUnderLoad if it is not set.
	movesEnv       = "CAIRN_TORTURE_MOVES"
	movesUnderLoad = 8
	// loadedView has what clients write meanwhile.
	loadedView = "views/loaded"
)

// TestMovesUnderLoad has shards move back and forth between two clusters while
// clients read and write through two routers. No call fails, what they were
// answered is what one register a key would answer, no answer is older than its
// token, also those of a view, and another view counts right throughout; also while
// the router that carries the moves out is killed, and another takes over. Both routers
// have a cache and are a fleet, which shares questions about views; each write that was
// made through one is read by its token through the other.
func TestMovesUnderLoad(t *testing.T) {
	s, m, seed := startMoving(t, "")
	watch := m.watchView(m.routers[1], true)
	l := startLoad(t, "moved", seed, 10*time.Second, loadedView, m.routers...)
	l.goesOn(200)
	waitForOwnWrites := m.readOwnWrites()
	moves := fromEnv(t, movesEnv, movesUnderLoad)
	for range moves {
		m.move(func() {})
	}
	m.move(func() {
		time.Sleep(time.Duration(m.random.IntN(int(50 * time.Millisecond))))
		s.router.kill()
	})
	for range moves {
		m.move(func() {})
	}
	l.finish()
	counted := watch()
	waitForOwnWrites()
	if failed := l.failed.Load(); failed > 0 {
		t.Errorf("%d calls failed", failed)
	}
	m.expectTrueCaches()
	t.Logf("the view was counted %d times; with the mover killed, a move took %s; fences stood for %v", counted, m.longest.Round(time.Millisecond), m.fences())
	for _, index := range s.indexes {
		index.terminate(syscall.SIGTERM)
	}
}

// indexesKilled is how often an index is killed while a shard moves.
const indexesKilled = 6

// TestMovesUnderFaults kills the source or the target while a shard moves, at any
// moment. Calls may fail then, but nothing that was answered is wrong, and each
// move ends.
func TestMovesUnderFaults(t *testing.T) {
	s, m, seed := startMoving(t, "")
	watch := m.watchView(m.routers[1], false)
	l := startLoad(t, "moved", seed, deedTimeout, loadedView, m.routers...)
	l.goesOn(100)
	for range indexesKilled {
		m.move(func() {
			time.Sleep(time.Duration(m.random.IntN(int(300 * time.Millisecond))))
			name := []string{"north", "south"}[m.random.IntN(2)]
			s.indexes[name].kill()
			s.indexes[name] = start(t, s.configs[name])
			s.indexes[name].ready()
		})
		l.goesOn(50)
	}
	l.finish()
	m.expectTrueCaches()
	t.Logf("the view was counted %d times, %d calls failed", watch(), l.failed.Load())
	for _, index := range s.indexes {
		index.terminate(syscall.SIGTERM)
	}
}

// leadersKilled is how often the leader of a cluster of three replicas is killed
// while a shard moves to it or away from it.
const leadersKilled = 4

// TestMovesOfReplicas moves shards between an index of three replicas and one of
// one, and kills the leader meanwhile. Followers answer reads of tokens.
func TestMovesOfReplicas(t *testing.T) {
	seed := fromEnv(t, seedEnv, rand.Uint64())
	t.Logf("replay with %s=%d", seedEnv, seed)
	s := startReplicated(t, 3)
	south := child{Kind: "index", Cluster: "south", Data: t.TempDir(), Etcd: []string{s.etcd}, Listen: freeAddress(t)}
	index := start(t, south)
	moved := orders()
	moved.GetKeyspace().Mover = "external"
	s.apply(cluster("south", south.Listen), moved)
	index.ready()
	m := &moving{caller: s.caller, routers: []*caller{s.caller}, movers: []*process{s.router}, random: rand.New(rand.NewPCG(seed, 1))}
	l := startLoad(t, "moved", seed, deedTimeout, "", s.caller)
	l.goesOn(100)
	for range leadersKilled {
		m.move(func() {})
		m.move(func() {
			time.Sleep(time.Duration(m.random.IntN(int(200 * time.Millisecond))))
			lost := s.leader()
			s.indexes[lost].kill()
			s.indexes[lost] = start(t, s.configs[lost])
			s.indexes[lost].ready()
		})
		s.settle()
		l.goesOn(50)
	}
	l.finish()
	t.Logf("%d calls failed", l.failed.Load())
	index.terminate(syscall.SIGTERM)
	s.terminate()
}

// startMoving starts a spread and two routers more, which clients ask, and fills
// the keyspace. The first router, which is elected, has no clients. The others suffer
// from mischief.
func startMoving(t *testing.T, from mischief) (*spread, *moving, uint64) {
	seed := fromEnv(t, seedEnv, rand.Uint64())
	t.Logf("replay with %s=%d", seedEnv, seed)
	s := startSpread(t)
	s.apply(movedResources()...)
	m := &moving{random: rand.New(rand.NewPCG(seed, 1)), movers: []*process{s.router}}
	for range 2 {
		config := child{Kind: "router", Etcd: []string{s.etcd}, Listen: freeAddress(t), Cache: sheltered, Fleet: anyPort, Mischief: string(from)}
		router := start(t, config)
		at := router.ready()
		m.routers, m.at = append(m.routers, call(t, at.Listen)), append(m.at, at)
		m.movers, m.configs = append(m.movers, router), append(m.configs, config)
	}
	m.caller = m.routers[0]
	m.fill()
	return s, m, seed
}

// movedResources are a keyspace whose shards may move, a view of what stays as it is, and
// one of what clients write.
func movedResources() []*cairnv1.Resource {
	keyspace := orders()
	keyspace.GetKeyspace().Mover = "external"
	view := func(name, filter string) *cairnv1.Resource {
		return &cairnv1.Resource{Resource: &cairnv1.Resource_View{View: &cairnv1.View{
			Name: name, Keyspace: keyspaceName, Filter: filter, Sort: []string{"amount"},
		}}}
	}
	return []*cairnv1.Resource{keyspace, view("views/fixed", `note == "fixed"`), view(loadedView, `!has(note)`)}
}

// moving moves shards of the keyspace.
type moving struct {
	*caller
	routers []*caller
	at      []Addresses // where these are
	movers  []*process  // the first has no clients
	configs []child     // of the others
	random  *rand.Rand
	longest time.Duration
}

// fill puts what is to stay as it is.
func (m *moving) fill() {
	const batch = 500
	for first := 0; first < movedEntries; first += batch {
		request := &cairnv1.BatchWriteRequest{Keyspace: keyspaceName}
		for i := first; i < first+batch; i++ {
			request.Writes = append(request.Writes, &cairnv1.Write{Operation: &cairnv1.Write_Put{Put: &cairnv1.Put{
				Key: key(i), Attributes: map[string]*cairnv1.Value{
					"amount": intValue(i), "note": {Kind: &cairnv1.Value_StringValue{StringValue: "fixed"}},
				},
			}}})
		}
		response, err := m.writer.BatchWrite(m.context(), request)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, result := range response.Results {
			if result.Error != nil {
				m.t.Fatal(result.Error)
			}
		}
	}
	eventually(m.t, "the view serves", func() bool {
		counted, err := m.views.Count(m.context(), &cairnv1.CountRequest{Selection: &cairnv1.Selection{View: "views/fixed"}})
		return err == nil && counted.Count == movedEntries
	})
	eventually(m.t, "the other view serves", func() bool {
		counted, err := m.views.Count(m.context(), &cairnv1.CountRequest{Selection: &cairnv1.Selection{View: loadedView}})
		return err == nil && counted.Count == 0
	})
}

// move moves some shard to the other cluster, and waits until it is there.
func (m *moving) move(meanwhile func()) {
	m.t.Helper()
	shards := m.shards()
	m.moveShard(shards[m.random.IntN(len(shards))], meanwhile)
}

func (m *moving) shards() []*cairnv1.Shard {
	m.t.Helper()
	page, err := m.admin.ListShards(m.context(), &cairnv1.ListShardsRequest{Parent: keyspaceName})
	if err != nil {
		m.t.Fatal(err)
	}
	return page.Shards
}

// moveShard moves a shard to the other cluster, and waits until it is there.
func (m *moving) moveShard(shard *cairnv1.Shard, meanwhile func()) {
	m.t.Helper()
	to := "clusters/north"
	if shard.Cluster == to {
		to = "clusters/south"
	}
	began := time.Now()
	created, err := m.admin.CreateMove(m.context(), &cairnv1.CreateMoveRequest{Shard: shard.Name, To: to})
	if err != nil {
		m.t.Fatal(err)
	}
	meanwhile()
	var phases []string
	eventually(m.t, "the shard has moved", func() bool {
		now, err := m.admin.GetMove(m.context(), &cairnv1.GetMoveRequest{Name: created.Move.Name})
		if err != nil {
			m.t.Fatal(err)
		}
		if now.Phase == cairnv1.Move_CANCELLED {
			m.t.Fatalf("the move is %s: %s", now.Phase, now.Problem)
		}
		if phase := now.Phase.String() + " " + now.Problem; len(phases) == 0 || phases[len(phases)-1] != phase {
			phases = append(phases, phase)
		}
		return now.Phase == cairnv1.Move_DONE
	})
	m.longest = max(m.longest, time.Since(began))
	m.t.Logf("%s to %s in %s: %s", shard.Name, to, time.Since(began).Round(time.Millisecond), strings.Join(phases, ", "))
}

// expectTrueCaches checks what the routers say of their caches, and that they shared
// questions about views.
func (m *moving) expectTrueCaches() {
	m.t.Helper()
	shared := 0
	for _, at := range m.at {
		expectTrueCache(m.t, at)
		shared += sumOf(m.t, askedOfRouters, at)
	}
	if shared == 0 {
		m.t.Error("no question about a view went to the router that it belongs to")
	}
}

// fences are how long the shards were fenced until their moves were committed,
// ascending.
func (m *moving) fences() (out []time.Duration) {
	for _, mover := range m.movers {
		for _, found := range committed.FindAllStringSubmatch(mover.logText(), -1) {
			took, err := time.ParseDuration(found[1])
			if err != nil {
				m.t.Fatal(err)
			}
			out = append(out, took.Round(time.Millisecond))
		}
	}
	slices.Sort(out)
	return out
}

var committed = regexp.MustCompile(`phase=committed after=(\S+)`)

// watchView counts the entries that stay as they are, again and again, until the
// returned function is called, which returns how often. Every answer must be right,
// and if always, there must be one to each call.
func (m *moving) watchView(through *caller, always bool) (stop func() int64) {
	ctx, cancel := context.WithCancel(m.t.Context())
	var group sync.WaitGroup
	var times atomic.Int64
	group.Go(func() {
		for ctx.Err() == nil {
			asked, ended := context.WithTimeout(context.Background(), 10*time.Second)
			counted, err := through.views.Count(asked, &cairnv1.CountRequest{
				Selection: &cairnv1.Selection{View: "views/fixed"},
			})
			ended()
			if err != nil && !always {
				continue
			}
			if err != nil || counted.Count != movedEntries {
				m.t.Errorf("counted %d of %d: %v", counted.GetCount(), movedEntries, err)
				return
			}
			times.Add(1)
		}
	})
	return func() int64 {
		cancel()
		group.Wait()
		return times.Load()
	}
}
