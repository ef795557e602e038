package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	"cairn/bench/spawn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// Moving is Cairn while its shards move: the indexes of two clusters, two routers,
// of which one moves the shards, and etcd, in four processes; the callers are in
// this one.
type Moving struct {
	// Clients are of both routers.
	Clients []*client.Client
	// Shards is how many the keyspace has, with ids from 1, of even size in the
	// order of their placement keys.
	Shards int

	deployment *Deployment
	owners     map[cairn.ShardID]string // by the resource names of clusters
	indexes    map[string]int           // the processes, by the same
}

// Move starts the stack in a temporary folder with a keyspace of so many shards
// and three views.
func Move(ctx context.Context, shards int) (*Moving, error) {
	d, err := newDeployment()
	if err != nil {
		return nil, err
	}
	s := &Moving{Shards: shards, deployment: d, indexes: make(map[string]int)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// movingViews are the views, each with a sort of its own.
var movingViews = []struct{ filter, sort string }{{"n >= 0", "-n"}, {"tier == 1", "spread"}, {"n >= 0 && tier == 2", "-spread"}}

func (s *Moving) start(ctx context.Context) error {
	first, err := s.deployment.spawn(ctx, partEtcd, filepath.Join(s.deployment.folder, "etcd"))
	if err != nil {
		return err
	}
	admin, etcd, _ := strings.Cut(first.Address, " ")
	resources := []*cairnv1.Resource{{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
		Name:       "keyspaces/" + Keyspace,
		Placement:  &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: uint32(s.Shards)},
		Mover:      "external",
		Attributes: map[string]*cairnv1.Attribute{"n": {Type: cairnv1.Attribute_INT}, "tier": {Type: cairnv1.Attribute_INT}, "spread": {Type: cairnv1.Attribute_INT}},
	}}}}
	addresses := make([]string, len(scatteredClusters))
	for i, name := range scatteredClusters {
		if addresses[i], err = freeAddress(ctx); err != nil {
			return err
		}
		resources = append(resources, clusterAt(name, addresses[i]))
	}
	for i, view := range movingViews {
		resources = append(resources, &cairnv1.Resource{Resource: &cairnv1.Resource_View{View: &cairnv1.View{
			Name: fmt.Sprintf("views/view-%d", i), Keyspace: "keyspaces/" + Keyspace, Filter: view.filter, Sort: []string{view.sort},
		}}})
	}
	if err := apply(ctx, admin, resources...); err != nil {
		return err
	}
	for i, name := range scatteredClusters {
		// All processors each: an index that copies a shard with one would let
		// writes wait for it.
		index, err := s.deployment.index(ctx, name, addresses[i], etcd, runtime.GOMAXPROCS(0))
		if err != nil {
			return err
		}
		s.indexes["clusters/"+name] = index.PID()
	}
	router, err := s.deployment.spawn(ctx, partRouter, filepath.Join(s.deployment.folder, "router"), etcd)
	if err != nil {
		return err
	}
	second, _, _ := strings.Cut(router.Address, " ")
	for _, address := range []string{admin, second} {
		c, err := client.Dial(address, client.Options{})
		if err != nil {
			return err
		}
		s.Clients = append(s.Clients, c)
	}
	for i := range movingViews {
		if err := serves(ctx, s.Clients[0], fmt.Sprintf("views/view-%d", i)); err != nil {
			return err
		}
	}
	page, err := s.Clients[0].Admin().ListShards(ctx, &cairnv1.ListShardsRequest{Parent: "keyspaces/" + Keyspace, PageSize: int32(s.Shards)})
	if err != nil {
		return err
	}
	s.owners = make(map[cairn.ShardID]string)
	for i, shard := range page.GetShards() {
		s.owners[cairn.ShardID(i+1)] = shard.GetCluster()
	}
	return nil
}

// Fill puts the first entries.
func (s *Moving) Fill(ctx context.Context, entries int, writeOf func(n int) cairn.Write) error {
	return fill(ctx, s.Clients[0], entries, writeOf)
}

// Counts are how many entries each view has.
func (s *Moving) Counts(ctx context.Context) ([]uint64, error) {
	counts := make([]uint64, len(movingViews))
	for i := range movingViews {
		count, err := s.Clients[0].CountView(ctx, cairn.Selection{View: fmt.Sprintf("view-%d", i), Freshness: cairn.Freshness{Level: cairn.Linearizable}})
		if err != nil {
			return nil, err
		}
		counts[i] = count.Count
	}
	return counts, nil
}

// MoveShard moves a shard to the other cluster, and has the former owner keep nothing, so
// that a move back copies all. It returns when it is there, with the processor time that the
// other cluster's index used meanwhile.
func (s *Moving) MoveShard(ctx context.Context, id cairn.ShardID) (used time.Duration, err error) {
	admin := s.Clients[0].Admin()
	name := fmt.Sprintf("keyspaces/%s/shards/%d", Keyspace, id)
	to := "clusters/" + scatteredClusters[0]
	if s.owners[id] == to {
		to = "clusters/" + scatteredClusters[1]
	}
	index := []int{s.indexes[to]}
	before := spawn.Used(index)
	response, err := admin.CreateMove(ctx, &cairnv1.CreateMoveRequest{Shard: name, To: to, Keep: durationpb.New(0)})
	if err != nil {
		return 0, err
	}
	for {
		move, err := admin.GetMove(ctx, &cairnv1.GetMoveRequest{Name: response.GetMove().GetName()})
		if err != nil {
			return 0, err
		}
		switch move.GetPhase() {
		case cairnv1.Move_DONE:
			s.owners[id] = to
			return spawn.Used(index) - before, nil
		case cairnv1.Move_CANCELLED:
			return 0, fmt.Errorf("move %s was cancelled: %s", move.GetName(), move.GetProblem())
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Close ends the processes and removes their data.
func (s *Moving) Close() error {
	var errs []error
	for _, c := range s.Clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, s.deployment.Stop())...)
}
