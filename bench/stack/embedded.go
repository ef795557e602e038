package stack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"cairn"
	"cairn/bench/load"
	"cairn/nodeindex/replica"
	"cairn/router"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Embedded is a router and the index of one cluster in this process, over a map
// that does not change: no wire, and no etcd.
type Embedded struct {
	Router *router.Router

	folder  string
	replica *replica.Replica
}

// Embed opens an embedded stack with an empty keyspace in a temporary folder.
func Embed(ctx context.Context) (*Embedded, error) {
	folder, err := os.MkdirTemp("", "cairn-bench-")
	if err != nil {
		return nil, err
	}
	e := &Embedded{folder: folder}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Embedded) open(ctx context.Context) error {
	m, err := declaredMap()
	if err != nil {
		return fmt.Errorf("make the map: %w", err)
	}
	cluster, _ := m.Catalog().ClusterByName(clusterName)
	assignment := m.Assignment(cluster.UID)
	e.replica, err = replica.Open(replica.Config{
		Dir:     e.folder,
		Refresh: func(context.Context, uint64) (cairn.Assignment, error) { return assignment, nil },
	})
	if err != nil {
		return err
	}
	if err := e.replica.Assign(ctx, assignment); err != nil {
		return err
	}
	e.Router, err = router.New(router.Config{
		Topology: fixed{m},
		Dial:     func(*catalog.Cluster) (router.Index, error) { return e.replica, nil },
	})
	return err
}

// Close closes the stack and removes its data.
func (e *Embedded) Close() error {
	var err error
	if e.Router != nil {
		e.Router.Close()
	}
	if e.replica != nil {
		err = e.replica.Close()
	}
	return errors.Join(err, os.RemoveAll(e.folder))
}

// locatesACall is how many locates are timed together.
const locatesACall = 64

// Locate is a caller that locates random keys of the first entries.
func (e *Embedded) Locate(seed uint64, entries int) load.Call {
	random := rand.New(rand.NewPCG(seed, 0))
	key := make([]byte, 0, 32)
	return func(ctx context.Context) (int, error) {
		for range locatesACall {
			key = load.AppendKey(key[:0], random.IntN(entries))
			location, _, err := e.Router.Locate(ctx, Keyspace, key, cairn.Reading{})
			if err != nil {
				return 0, err
			}
			if location.State != cairn.Found {
				return 0, fmt.Errorf("key %s is not found", key)
			}
		}
		return locatesACall, nil
	}
}

// fixed is a Topology of one map.
type fixed struct{ m *shardmap.Map }

func (f fixed) Map() *shardmap.Map { return f.m }

func (f fixed) Wait(_ context.Context, revision uint64) (*shardmap.Map, error) {
	if revision > f.m.Revision() {
		return nil, cairn.Errorf(cairn.KindUnavailable, "MAP_FIXED", "there is no map of revision %d, only of %d", revision, f.m.Revision())
	}
	return f.m, nil
}

// declaredMap is the map of the keyspace on its cluster, as the first apply in
// an empty store would leave it.
func declaredMap() (*shardmap.Map, error) {
	empty := new(catalog.Catalog)
	cluster := &catalog.ClusterSpec{Name: clusterName}
	for i := range 3 {
		cluster.Nodes = append(cluster.Nodes, catalog.NodeSpec{
			Name: fmt.Sprintf("%s-%c", clusterName, 'a'+i), Address: fmt.Sprintf("10.0.0.%d:5432", i+1),
		})
	}
	plan, err := empty.Plan([]catalog.Resource{
		{Cluster: cluster},
		{Keyspace: &catalog.KeyspaceSpec{Name: Keyspace, Placement: cairn.Placement{Scheme: cairn.SchemeHash}}},
	}, catalog.Means{NewUID: cairn.NewUID})
	if err != nil {
		return nil, err
	}
	change, err := shardmap.Create(plan.CreateKeyspaces[0], plan.SetClusters)
	if err != nil {
		return nil, err
	}
	change.Clusters = append(change.Clusters, shardmap.ClusterChange{Name: clusterName, Put: plan.SetClusters[0]})
	const firstRevision = 1
	update, err := change.Update(firstRevision, empty)
	if err != nil {
		return nil, err
	}
	m, err := new(shardmap.Builder).Build(0, empty)
	if err != nil {
		return nil, err
	}
	return m.Apply(update)
}
