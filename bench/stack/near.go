package stack

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"cairn/router"
	"cairn/router/peer"
	"cairn/shardmap/catalog"
	"cairn/shardmap/etcdstore"
)

// Near is a router in this process, over gRPC to the indexes that etcd names, as
// a service has it that embeds one.
type Near struct {
	Router *router.Router

	etcd  *clientv3.Client
	store *etcdstore.Store
}

// near opens a router on the map that is in etcd.
func near(ctx context.Context, etcd string) (*Near, error) {
	n := new(Near)
	err := n.open(ctx, etcd)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Near) open(ctx context.Context, etcd string) (err error) {
	if n.etcd, err = clientv3.New(clientv3.Config{Endpoints: []string{etcd}, Logger: zap.NewNop()}); err != nil {
		return err
	}
	if n.store, err = etcdstore.Open(ctx, etcdstore.Config{Client: n.etcd}); err != nil {
		return err
	}
	n.Router, err = router.New(router.Config{
		Topology: n.store,
		Dial: func(cluster *catalog.Cluster) (router.Index, error) {
			return peer.Dial(cluster.IndexReplicas[0], peer.Options{})
		},
		Release: func(index router.Index) { _ = index.(*peer.Peer).Close() },
	})
	return err
}

// Close ends the router.
func (n *Near) Close() error {
	var errs []error
	if n.Router != nil {
		n.Router.Close()
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.etcd != nil {
		errs = append(errs, n.etcd.Close())
	}
	return errors.Join(errs...)
}
