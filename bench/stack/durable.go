package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"cairn"
	"cairn/bench/load"
	"cairn/bench/spawn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
	"cairn/router/client"
	"cairn/router/coalesce"
	"cairn/router/peer"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
)

// Durable is Cairn as what takes writes: one cluster whose index has so many
// replicas, processes of their own; a router in this process and one that is a
// process too.
type Durable struct {
	router     *router.Router
	caching    *router.Router // nil until it is asked for
	client     *client.Client
	deployment *Deployment
	index      *spawn.Process
	admin      string // the address of an administrator
	etcd       *clientv3.Client
	store      *etcdstore.Store
}

// StartDurable starts the stack in a temporary folder.
func StartDurable(ctx context.Context, replicas int) (*Durable, error) {
	d, err := newDeployment()
	if err != nil {
		return nil, err
	}
	s := &Durable{deployment: d}
	if err := s.start(ctx, replicas); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Durable) start(ctx context.Context, replicas int) error {
	first, err := s.deployment.spawn(ctx, partEtcd, filepath.Join(s.deployment.folder, "etcd"))
	if err != nil {
		return err
	}
	var etcd string
	s.admin, etcd, _ = strings.Cut(first.Address, " ")
	addresses := make([]string, replicas)
	for i := range addresses {
		if addresses[i], err = freeAddress(ctx); err != nil {
			return err
		}
	}
	if err := apply(ctx, s.admin, clusterAt(clusterName, addresses...), keyspace()); err != nil {
		return err
	}
	for i, address := range addresses {
		join := ""
		if i > 0 {
			join = "join"
		}
		process, err := s.deployment.spawn(ctx, partIndex, clusterName, address, filepath.Join(s.deployment.folder, indexFolder(i)), etcd,
			strconv.Itoa(runtime.GOMAXPROCS(0)), join)
		if err != nil {
			return err
		}
		if i == 0 {
			s.index = process
		}
	}
	process, err := s.deployment.spawn(ctx, partRouter, filepath.Join(s.deployment.folder, "router"), etcd)
	if err != nil {
		return err
	}
	address, _, _ := strings.Cut(process.Address, " ")
	if s.client, err = client.Dial(address, client.Options{}); err != nil {
		return err
	}
	if err := s.voters(ctx, replicas); err != nil {
		return err
	}
	return s.embed(ctx, etcd)
}

// indexFolder is where replica i has its files.
func indexFolder(i int) string { return fmt.Sprint("index-", i) }

// voters waits until all replicas have a vote.
func (s *Durable) voters(ctx context.Context, replicas int) error {
	for {
		response, err := s.client.Admin().ListReplicas(ctx, &cairnv1.ListReplicasRequest{Parent: "clusters/" + clusterName})
		if err != nil {
			return fmt.Errorf("wait for the replicas: %w", err)
		}
		voters := 0
		for _, r := range response.GetReplicas() {
			if r.GetRole() == cairnv1.Replica_LEADER || r.GetRole() == cairnv1.Replica_VOTER {
				voters++
			}
		}
		if voters == replicas {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// embed makes the router of this process.
func (s *Durable) embed(ctx context.Context, etcd string) (err error) {
	if s.etcd, err = clientv3.New(clientv3.Config{Endpoints: []string{etcd}, Logger: zap.NewNop()}); err != nil {
		return err
	}
	if s.store, err = etcdstore.Open(ctx, etcdstore.Config{Client: s.etcd}); err != nil {
		return err
	}
	s.router, err = s.route(0)
	return err
}

// route is a router of this process, with a cache of so many bytes; of none for 0.
func (s *Durable) route(cacheBytes int64) (*router.Router, error) {
	return router.New(router.Config{
		Topology: s.store, Dial: dialGroup,
		Release: func(index router.Index) { index.(*dialled).close() },
		Cache:   router.CacheConfig{Bytes: cacheBytes},
	})
}

// dialled is an index of several replicas.
type dialled struct {
	*peer.Group
	peers []*peer.Peer
}

func dialGroup(cluster *catalog.Cluster) (router.Index, error) {
	return dialReplicas(cluster, make([]peer.Options, len(cluster.IndexReplicas)))
}

// dialReplicas connects to each replica with options of its own.
func dialReplicas(cluster *catalog.Cluster, options []peer.Options) (*dialled, error) {
	d := &dialled{}
	for i, address := range cluster.IndexReplicas {
		p, err := peer.Dial(address, options[i])
		if err != nil {
			d.close()
			return nil, err
		}
		d.peers = append(d.peers, p)
	}
	d.Group = peer.NewGroup(d.peers, nil)
	return d, nil
}

func (d *dialled) close() {
	for _, p := range d.peers {
		_ = p.Close() // it is only read from, and nothing is under way
	}
}

// writer is who puts: a router in this process, or a client of one elsewhere.
type writer interface {
	Put(ctx context.Context, keyspace string, write cairn.Write, request cairn.RequestID) (cairn.WriteOutcome, cairn.Token, error)
	BatchWrite(ctx context.Context, keyspace string, writes []cairn.Write, request cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error)
}

// Puts are callers that each put one new key after the other: through the
// router of this process or through the other, each in a call of its own or
// coalesced.
func (s *Durable) Puts(keys *load.NewKeys, callers int, embedded, coalesced bool) []load.Call {
	var to writer = s.client
	if embedded {
		to = s.router
	}
	put := func(ctx context.Context, write cairn.Write) (cairn.WriteOutcome, cairn.Token, error) {
		return to.Put(ctx, Keyspace, write, cairn.RequestID{})
	}
	if coalesced {
		put = coalesce.NewWriter(Keyspace, to.BatchWrite).Write
	}
	calls := make([]load.Call, callers)
	for i := range calls {
		calls[i] = func(ctx context.Context) (int, error) {
			if _, _, err := put(ctx, cairn.Write{Operation: cairn.Put, Key: keys.Next()}); err != nil {
				return 0, err
			}
			return 1, nil
		}
	}
	return calls
}

// Batches are callers that each put batches of so many new keys, one batch after
// the other, through the router of this process.
func (s *Durable) Batches(keys *load.NewKeys, callers, size int) []load.Call {
	calls := make([]load.Call, callers)
	for i := range calls {
		writes := make([]cairn.Write, size)
		calls[i] = func(ctx context.Context) (int, error) {
			for j := range writes {
				writes[j] = cairn.Write{Operation: cairn.Put, Key: keys.Next()}
			}
			outcomes, _, err := s.router.BatchWrite(ctx, Keyspace, writes, cairn.RequestID{})
			if err != nil {
				return 0, err
			}
			for _, outcome := range outcomes {
				if outcome.Err != nil {
					return 0, outcome.Err
				}
			}
			return size, nil
		}
	}
	return calls
}

// Locates are callers that each locate, at eventual, batches of so many of the
// first keys, chosen at random, through the router of this process.
func (s *Durable) Locates(keys *load.NewKeys, first uint64, callers, size int) []load.Call {
	calls := make([]load.Call, callers)
	for i := range calls {
		random := rand.New(rand.NewPCG(uint64(i), first))
		asked := make([]cairn.Key, size)
		calls[i] = func(ctx context.Context) (int, error) {
			for j := range asked {
				asked[j] = keys.Had(random.Uint64N(first))
			}
			locations, _, err := s.router.BatchLocate(ctx, Keyspace, asked, cairn.Reading{})
			if err != nil {
				return 0, err
			}
			for j := range locations {
				if locations[j].State != cairn.Found {
					return 0, fmt.Errorf("key %s is not found", asked[j])
				}
			}
			return size, nil
		}
	}
	return calls
}

// Index is the process of the first replica.
func (s *Durable) Index() *spawn.Process { return s.index }

// Close ends the routers and the processes, and removes their data.
func (s *Durable) Close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	for _, r := range []*router.Router{s.router, s.caching} {
		if r != nil {
			r.Close()
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.etcd != nil {
		errs = append(errs, s.etcd.Close())
	}
	return errors.Join(append(errs, s.deployment.Stop())...)
}
