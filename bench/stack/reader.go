package stack

import (
	"context"
	"fmt"
	"math/rand/v2"

	"google.golang.org/grpc"

	"cairn"
	"cairn/bench/load"
	"cairn/router"
	"cairn/router/peer"
	"cairn/shardmap/catalog"
)

// Reader is a router of this process that reads from the replicas of a Durable over
// wires, and knows nothing of them when it begins.
type Reader struct {
	// Wires are the ways to the replicas.
	Wires  []*Wire
	router *router.Router
	index  *dialled
}

// NewReader makes a Reader. Close it before the Durable.
func (s *Durable) NewReader() (*Reader, error) {
	r := &Reader{}
	cluster, _ := s.store.Map().Catalog().ClusterByName(clusterName)
	var options []peer.Options
	for range cluster.IndexReplicas {
		wire := new(Wire)
		r.Wires = append(r.Wires, wire)
		options = append(options, peer.Options{Dial: []grpc.DialOption{wire.dial()}})
	}
	var err error
	if r.index, err = dialReplicas(cluster, options); err != nil {
		return nil, err
	}
	// Who dials at the same time as another gives back what it got, which is the
	// same here: the Reader closes it.
	r.router, err = router.New(router.Config{
		Topology: s.store,
		Dial:     func(*catalog.Cluster) (router.Index, error) { return r.index, nil },
	})
	if err != nil {
		r.index.close()
		return nil, err
	}
	return r, nil
}

// Asked are how many reads were put to each replica.
func (r *Reader) Asked() (asked []uint64) {
	standings, _ := r.index.Standings()
	for _, s := range standings {
		asked = append(asked, s.Asked)
	}
	return asked
}

// Locates are callers that each locate one of the first keys after the other, at
// eventual: of a share hot of them the very first, else one by chance.
func (r *Reader) Locates(keys *load.NewKeys, first uint64, callers int, hot float64) []load.Call {
	calls := make([]load.Call, callers)
	for i := range calls {
		random := rand.New(rand.NewPCG(uint64(i), first))
		calls[i] = func(ctx context.Context) (int, error) {
			key := keys.Had(0)
			if random.Float64() >= hot {
				key = keys.Had(random.Uint64N(first))
			}
			location, _, err := r.router.Locate(ctx, Keyspace, key, cairn.Reading{})
			if err != nil {
				return 0, err
			}
			if location.State != cairn.Found {
				return 0, fmt.Errorf("key %s is not found", key)
			}
			return 1, nil
		}
	}
	return calls
}

// Close ends the router, and closes the index.
func (r *Reader) Close() {
	r.router.Close()
	r.index.close()
}
