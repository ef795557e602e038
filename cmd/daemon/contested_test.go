package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/peer"
)

// contested is a besieged cluster, north, and another one of one replica, south, which
// shards move between. There is a second router, whose clients go on while the first is
// down.
type contested struct {
	*besieged
	north  cairn.UID
	south  string // its address
	second *caller
}

const (
	southName  = "south"
	secondName = "second-router"
)

// contest starts the processes and fills the keyspace.
func contest(t *testing.T) *contested {
	t.Helper()
	c := &contested{besieged: besiege(t)}
	resources := movedResources()
	c.keyspace = resources[0]
	server := freeAddress(t)
	c.south = c.network.before(southName, server)
	c.configs[c.south] = child{
		Kind: "index", Cluster: southName, Data: t.TempDir(), Etcd: []string{c.etcd}, Listen: server, Advertise: c.south,
		Mischief: filepath.Join(t.TempDir(), southName), CheckpointBytes: 64 << 10,
	}
	c.run(c.south)
	c.apply(append(resources, cluster(southName, c.south))...)
	c.indexes[c.south].ready()
	second := start(t, child{Kind: "router", Etcd: []string{c.etcd}, Cache: sheltered})
	c.network.runs(secondName, second)
	c.second = call(t, second.ready().Listen)
	north, err := c.admin.GetCluster(c.context(), &cairnv1.GetClusterRequest{Name: "clusters/north"})
	if err == nil {
		err = c.north.UnmarshalText([]byte(north.Uid))
	}
	if err != nil {
		t.Fatal(err)
	}
	m := &moving{caller: c.caller}
	m.fill()
	for i, shard := range m.shards() {
		if i%2 == 1 { // all are in the north, which was the first
			m.moveShard(shard, func() {})
		}
	}
	return c
}

func (c *contested) routers() []*caller { return []*caller{c.caller, c.second} }

// servers are where the replicas of each cluster really are.
func (c *contested) servers() map[string][]string {
	servers := map[string][]string{southName: {c.configs[c.south].Listen}}
	for _, address := range c.declared {
		servers["north"] = append(servers["north"], c.configs[address].Listen)
	}
	return servers
}

// contestedFault is a fault of both clusters, or of the router.
type contestedFault struct {
	name string
	do   func(c *contested, random *rand.Rand)
}

// contestedFaults are those of a besieged cluster, and those of the other side.
func contestedFaults() []contestedFault {
	var all []contestedFault
	for _, f := range faults {
		all = append(all, contestedFault{f.name, func(c *contested, random *rand.Rand) { f.do(c.besieged, random) }})
	}
	return append(all, []contestedFault{
		{"south killed", func(c *contested, random *rand.Rand) { c.killed(random, c.south) }},
		{"south stopped", func(c *contested, random *rand.Rand) { c.stopped(random, c.south) }},
		{"south and the leader killed", func(c *contested, random *rand.Rand) { c.killed(random, c.south, c.leader()) }},
		{"south cut off from a router", func(c *contested, random *rand.Rand) {
			router := []string{routerName, secondName}[random.IntN(2)]
			asks, answers := random.IntN(3) > 0, random.IntN(3) > 0
			c.cutOff(random, waysBetween(router, []string{southName}, asks || !answers, answers))
		}},
		{"south's disk slow", func(c *contested, random *rand.Rand) {
			c.suffers(c.south, fmt.Sprintf("slow=%dms", 20+random.IntN(150)), between(random, 500*time.Millisecond, 2*time.Second))
		}},
		{"south's disk full", func(c *contested, random *rand.Rand) {
			c.suffers(c.south, "full", between(random, 500*time.Millisecond, 2*time.Second))
		}},
		{"south's disk hangs", func(c *contested, random *rand.Rand) {
			c.suffers(c.south, "hang", between(random, 500*time.Millisecond, 3*time.Second))
		}},
		{"south's clock jumps", func(c *contested, random *rand.Rand) {
			c.suffers(c.south, fmt.Sprintf("clock=%s", between(random, -5*time.Hour, 5*time.Hour)), time.Second)
		}},
		{"router killed", (*contested).routerKilled},
		{"router stopped", (*contested).routerStopped},
	}...)
}

func (c *contested) routerKilled(random *rand.Rand) {
	c.router.kill()
	time.Sleep(between(random, 0, 1500*time.Millisecond))
	c.runRouter()
}

func (c *contested) routerStopped(random *rand.Rand) {
	c.router.signal(syscall.SIGSTOP)
	time.Sleep(between(random, 300*time.Millisecond, 4*time.Second))
	c.router.signal(syscall.SIGCONT)
}

// contestedEnv is how often each fault happens; where it is not set, some that are drawn
// happen once.
const (
	contestedEnv = "CAIRN_TORTURE_CONTESTED"
	faultsDrawn  = 8
	// changesAround is how often shards change before a fault at least, and after.
	changesAround = 4
)

// TestReshardingUnderFaults has shards split, merge, move and reverse at random between
// a cluster of three replicas and one of one, while one thing after the other goes
// wrong. Clients find nobody at times, and are answered when they ask again; every scan
// is complete, and the logs of both sides are the log of one owner.
func TestReshardingUnderFaults(t *testing.T) {
	seed := fromEnv(t, seedEnv, rand.Uint64())
	t.Logf("replay with %s=%d", seedEnv, seed)
	random := rand.New(rand.NewPCG(seed, 2))
	c := contest(t)
	logs := followJournals(t, c.servers())
	happens := contestedFaults()
	if rounds := int(fromEnv(t, contestedEnv, 0)); rounds > 0 {
		happens = slices.Repeat(happens, rounds)
	} else {
		random.Shuffle(len(happens), func(i, j int) { happens[i], happens[j] = happens[j], happens[i] })
		happens = happens[:faultsDrawn]
	}
	for i, f := range happens {
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			c.under(t, f, seed+uint64(i), logs)
		})
		if t.Failed() {
			return
		}
	}
	logs.end()
	c.finish()
}

// under reshards while a fault happens, and judges what clients were answered and what
// the logs have.
func (c *contested) under(t *testing.T, f contestedFault, seed uint64, logs *journals) {
	c.t, c.caller.t, c.second.t = t, t, t
	defer func() { c.t, c.caller.t, c.second.t = c.all, c.all, c.all }()
	random := rand.New(rand.NewPCG(seed, 0))
	l := startHealing(t, fmt.Sprint(seed), seed, c.routers()...)
	defer l.end()
	pages := startScans(t, seed, true, c.routers()...)
	defer pages.end()
	r := startResharding(t, seed, c.routers()...)
	defer r.end()
	l.goesOn(20 * loadClients)
	r.goesOn(changesAround)
	f.do(c, random)
	l.goesOn(20 * loadClients)
	r.goesOn(changesAround)
	pages.goesOn(2)
	r.finish()
	pages.finish()
	l.finish()
	t.Logf("%d calls were repeated", l.failed.Load())
	logs.catchUp(c.servers())
	if err := logs.check(l); err != nil {
		t.Error(err)
	}
	c.agree()
}

// TestLaggingReplicasOfAMove asks a follower of the target, and then of the source, that
// hears nothing of what its leader does, with the token of a write that was made after a
// move: it does not answer before it has that write, nor from what is no longer its own.
// Through the routers the token is answered at once.
func TestLaggingReplicasOfAMove(t *testing.T) {
	c := contest(t)
	m := &moving{caller: c.caller, random: rand.New(rand.NewPCG(1, 1))}
	for _, to := range []string{"north", southName} {
		leader := c.settle()
		lagging := c.others(leader)[0]
		var shard *cairnv1.Shard
		for _, each := range m.shards() {
			if each.Cluster != "clusters/"+to {
				shard = each
			}
		}
		moved := c.keyOf(shard.Name)
		for _, w := range waysBetween(c.name(lagging), c.names(c.others(lagging)), true, true) {
			c.network.cutOff(w.from, w.to)
		}
		m.moveShard(shard, func() {})
		put, err := c.writer.Put(c.context(), &cairnv1.PutRequest{
			Keyspace: keyspaceName, Put: &cairnv1.Put{Key: moved, Attributes: map[string]*cairnv1.Value{"amount": intValue(-7)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, router := range c.routers() {
			located, err := router.locator.Locate(router.context(), &cairnv1.LocateRequest{
				Keyspace: keyspaceName, Key: moved, View: cairnv1.LocationView_LOCATION_VIEW_FULL,
				Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: put.Token}},
			})
			if err != nil || located.Location.Attributes["amount"].GetIntValue() != -7 {
				t.Errorf("a read of the token, through a router: %v, %v", located, err)
			}
		}
		answer, err := c.askDirectly(lagging, moved, put.Token)
		if kind := cairn.KindOf(err); kind != cairn.KindNotYet && kind != cairn.KindDeadline {
			t.Errorf("a follower that lags, of which the shard moved to the %s: %v, %v; want that it has not got there yet", to, answer, err)
		}
		c.network.heal(false)
		eventually(t, "the follower has caught up", func() bool {
			answer, err = c.askDirectly(lagging, moved, put.Token)
			return err == nil
		})
		want := cairn.Found
		if to == southName {
			want = cairn.NotOwned
		}
		if answer.State != want || want == cairn.Found && answer.Version != versionOf(put.Version) {
			t.Errorf("the follower, of which the shard moved to the %s, says %v; want %v, version %v", to, answer, want, put.Version)
		}
	}
	c.terminate()
}

// keyOf is a key of a shard.
func (c *contested) keyOf(shard string) []byte {
	c.t.Helper()
	for i := range movedEntries {
		explained, err := c.locator.ExplainKey(c.context(), &cairnv1.ExplainKeyRequest{Keyspace: keyspaceName, Key: key(i)})
		if err != nil {
			c.t.Fatal(err)
		}
		if explained.Shard == shard {
			return key(i)
		}
	}
	c.t.Fatalf("no key is of %s", shard)
	return nil
}

// askDirectly asks a replica of the north itself, as a router does that knows of a token.
func (c *contested) askDirectly(address string, key []byte, text string) (cairn.Located, error) {
	c.t.Helper()
	token, err := cairn.ParseToken(text)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := peer.Dial(c.configs[address].Listen, peer.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	status, err := p.Status(ctx, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	var reply cairn.LocateReply
	request := cairn.LocateRequest{
		Read:           cairn.Read{Keyspace: status.Shards[0].Keyspace, Epoch: token.Epoch, Level: cairn.AtLeast, Index: token.Index(c.north)},
		WithAttributes: true, Keys: []cairn.Key{key},
	}
	if err := p.Locate(ctx, &request, &reply); err != nil {
		return cairn.Located{}, err
	}
	return reply.Results[0], nil
}
