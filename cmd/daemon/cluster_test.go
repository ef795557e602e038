package daemon

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	cairnv1 "cairn/proto/cairn/v1"
)

// etcdForTest starts an etcd in the test's own process. stop may be called
// before the test ends.
func etcdForTest(t *testing.T, dir, address string) (url string, stop func()) {
	t.Helper()
	server, err := startEtcd(t.Context(), dir, address)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(server.close)
	t.Cleanup(stop)
	return server.URL, stop
}

// spread is a router and two indexes, each a process of its own.
type spread struct {
	*caller
	etcd       string
	etcdData   string
	stopEtcd   func()
	router     *process
	routerData string
	routerAt   Addresses
	indexes    map[string]*process
	configs    map[string]child
}

// startSpread starts the processes, applies the keyspace and the clusters
// north and south, and waits until all are ready.
func startSpread(t *testing.T) *spread {
	t.Helper()
	s := &spread{indexes: map[string]*process{}, configs: map[string]child{}, routerData: t.TempDir(), etcdData: t.TempDir()}
	s.etcd, s.stopEtcd = etcdForTest(t, s.etcdData, anyPort)
	s.router = start(t, child{Kind: "router", Etcd: []string{s.etcd}, Data: s.routerData})
	var clusters []*cairnv1.Resource
	for _, name := range []string{"north", "south"} {
		s.configs[name] = child{Kind: "index", Cluster: name, Data: t.TempDir(), Etcd: []string{s.etcd}, Listen: freeAddress(t)}
		s.indexes[name] = start(t, s.configs[name])
		clusters = append(clusters, cluster(name, s.configs[name].Listen))
	}
	s.routerAt = s.router.ready()
	s.caller = call(t, s.routerAt.Listen)
	for name, index := range s.indexes {
		index.says("waiting for the cluster " + name + " to be applied; no cluster is applied yet")
	}
	s.apply(append(clusters, orders())...)
	for _, index := range s.indexes {
		index.ready()
	}
	return s
}

func (s *spread) terminate() {
	s.t.Helper()
	s.router.terminate(syscall.SIGTERM)
	for _, index := range s.indexes {
		index.terminate(syscall.SIGTERM)
	}
}

func TestThreeProcesses(t *testing.T) {
	s := startSpread(t)
	s.mustWrite(0, 3000)
	s.expect(upTo(3000))
	if north, south := s.count("north"), s.count("south"); north+south != 3000 || north == 0 || south == 0 {
		t.Errorf("the indexes hold %d and %d entries; want 3000 over both", north, south)
	}
	if keys := s.list(); len(keys) != 3000 {
		t.Errorf("%d keys listed; want 3000", len(keys))
	}
	explained, err := s.locator.ExplainKey(s.context(), &cairnv1.ExplainKeyRequest{Keyspace: keyspaceName, Key: key(1)})
	if err != nil || explained.IndexReplica == "" || explained.Cluster == "" {
		t.Errorf("explain: %v, %v; want the cluster and the index replica", explained, err)
	}
	s.terminate()
}

func TestIndexOfAnotherClusterIsRefused(t *testing.T) {
	s := startSpread(t)
	s.indexes["north"].terminate(syscall.SIGTERM)
	wrong := s.configs["north"]
	wrong.Cluster = "south"
	wrong.Listen = anyPort
	if said := start(t, wrong).failure(); !strings.Contains(said, "holds the index of cluster north") {
		t.Errorf("it says %q; want whose index the directory holds", said)
	}
}

func TestEtcdDiesAndLocatesGoOn(t *testing.T) {
	s := startSpread(t)
	s.mustWrite(0, 500)
	s.stopEtcd()
	s.router.says("etcd does not answer")
	request := &cairnv1.BatchLocateRequest{Keyspace: keyspaceName}
	for i := range 500 {
		request.Keys = append(request.Keys, key(i))
	}
	for range 20 {
		response, err := s.locator.BatchLocate(s.context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for i, location := range response.Locations {
			if location.State != cairnv1.Location_FOUND {
				t.Fatalf("key %d: %v", i, location)
			}
		}
	}
	s.mustWrite(500, 600)
	s.expect(upTo(600))
	if _, err := s.admin.Apply(short(t), &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{cluster("west")}}); err == nil {
		t.Error("apply without etcd succeeded")
	}

	etcdForTest(t, s.etcdData, strings.TrimPrefix(s.etcd, "http://"))
	s.router.says("etcd answers again")
	s.apply(cluster("west", freeAddress(t)))
	s.terminate()
}

func TestRouterServesFromTheJournal(t *testing.T) {
	s := startSpread(t)
	s.mustWrite(0, 500)
	s.router.terminate(syscall.SIGTERM)
	s.stopEtcd()

	again := start(t, child{Kind: "router", Etcd: []string{s.etcd}, Data: s.routerData})
	c := call(t, again.ready().Listen)
	again.says("serving from the map journal")
	c.expect(upTo(500))
	again.terminate(syscall.SIGTERM)
}

func TestRouterWithoutMapWaitsForEtcd(t *testing.T) {
	address := freeAddress(t)
	at := child{Kind: "router", Etcd: []string{"http://" + address}, Listen: freeAddress(t), HTTP: freeAddress(t)}
	p := start(t, at)
	p.says("waiting for etcd at http://" + address)
	eventually(t, "the router says that it is not ready", func() bool {
		code, body := getPage(t, "http://"+at.HTTP+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, address)
	})
	c := call(t, at.Listen)
	_, err := c.locator.Locate(short(t), &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: key(1)})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), address) {
		t.Errorf("locate: %v; want UNAVAILABLE and what it waits for", err)
	}
	etcdForTest(t, t.TempDir(), address)
	p.ready()
	eventually(t, "the router answers", func() bool {
		_, err := c.locator.Locate(c.context(), &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: key(1)})
		return status.Code(err) == codes.NotFound
	})
	p.terminate(syscall.SIGTERM)
}

func TestIndexWithoutEtcdSaysSo(t *testing.T) {
	address := freeAddress(t)
	p := start(t, child{Kind: "index", Cluster: "north", Data: t.TempDir(), Etcd: []string{"http://" + address}})
	p.says("waiting for etcd at http://" + address)
	p.terminate(syscall.SIGTERM)
}

func TestKilledIndexKeepsWhatItAcknowledged(t *testing.T) {
	s := startSpread(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const writers, batch = 4, 25
	var mu sync.Mutex
	var acknowledged []int
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for first := w * 1_000_000; ctx.Err() == nil; first += batch {
				call, cancel := context.WithTimeout(ctx, 5*time.Second)
				done, _ := s.writeRange(call, first, first+batch)
				cancel()
				mu.Lock()
				acknowledged = append(acknowledged, done...)
				mu.Unlock()
			}
		})
	}
	for _, name := range []string{"north", "south", "north"} {
		time.Sleep(300*time.Millisecond + rand.N(300*time.Millisecond))
		s.indexes[name].kill()
		s.indexes[name] = start(t, s.configs[name])
		s.indexes[name].ready()
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	group.Wait()
	if len(acknowledged) < 1000 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
	s.expect(acknowledged)
	s.terminate()
}
