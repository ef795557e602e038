package daemon

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"cairn"
	"cairn/cmd/secure"
	"cairn/router"
	"cairn/router/peer"
	"cairn/shardmap/catalog"
)

// dialer finds the node index of a cluster: in this process if it runs here,
// else behind the addresses that the cluster names. Whoever asks for the same
// address shares one connection.
type dialer struct {
	local     *hosts
	transport *secure.Transport
	// zone is where this process runs; empty if it is not known.
	zone string
	log  *slog.Logger

	mu    sync.Mutex
	peers map[string]*sharedPeer
	// groups are the newest of each cluster.
	groups map[cairn.UID]*sharedGroup
}

type sharedPeer struct {
	*peer.Peer
	users int
}

// sharedGroup is an index of several replicas. Whoever asks it shares what is known
// of them.
type sharedGroup struct {
	*peer.Group
	cluster *catalog.Cluster // as it was dialled by
	members []*sharedPeer
	users   int
}

func newDialer(local *hosts, transport *secure.Transport, zone string, log *slog.Logger) *dialer {
	return &dialer{local: local, transport: transport, zone: zone, log: log, peers: map[string]*sharedPeer{}, groups: map[cairn.UID]*sharedGroup{}}
}

// dial is router.Config.Dial: it waits for nothing. Give the index back with
// release.
func (d *dialer) dial(cluster *catalog.Cluster) (router.Index, error) {
	if len(cluster.IndexReplicas) == 0 {
		if h, here := d.local.get(cluster.UID); here {
			return h.replica, nil
		}
		return nil, cairn.Errorf(cairn.KindUnavailable, "INDEX_NOT_RUNNING",
			"cluster %s names no index replicas, and no index of it runs in this process; name them in its manifest, or use the development stack", cluster.Name)
	}
	if len(cluster.IndexReplicas) == 1 {
		return d.share(cluster.Name, cluster.IndexReplicas[0])
	}
	return d.shareGroup(cluster)
}

// shareGroup is the group of a cluster's replicas, with one more user.
func (d *dialer) shareGroup(cluster *catalog.Cluster) (*sharedGroup, error) {
	d.mu.Lock()
	group := d.groups[cluster.UID]
	if group != nil && slices.Equal(group.cluster.IndexReplicas, cluster.IndexReplicas) {
		group.users++
		d.mu.Unlock()
		return group, nil
	}
	d.mu.Unlock()
	group = &sharedGroup{cluster: cluster, users: 1}
	peers := make([]*peer.Peer, 0, len(cluster.IndexReplicas))
	for _, address := range cluster.IndexReplicas {
		shared, err := d.share(cluster.Name, address)
		if err != nil {
			d.release(group)
			return nil, err
		}
		group.members = append(group.members, shared)
		peers = append(peers, shared.Peer)
	}
	group.Group = peer.NewGroup(peers, func(address string) bool { return d.zone != "" && zoneOf(cluster, address) == d.zone })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups[cluster.UID] = group // of two that were made at once the later
	return group, nil
}

// zoneOf is the zone of an index's replica: that of the node on the same host, else
// the cluster's.
func zoneOf(cluster *catalog.Cluster, address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return cluster.Zone
	}
	for _, node := range cluster.Nodes {
		if at, _, err := net.SplitHostPort(node.Address); err == nil && at == host {
			return node.Zone
		}
	}
	return cluster.Zone
}

// share is the connection to an address, with one more user.
func (d *dialer) share(cluster, address string) (*sharedPeer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	shared := d.peers[address]
	if shared == nil {
		opened, err := peer.Dial(address, peer.Options{Dial: []grpc.DialOption{d.transport.DialOption()}}) // connects when it is first asked
		if err != nil {
			return nil, err
		}
		shared = &sharedPeer{Peer: opened}
		d.peers[address] = shared
		d.log.Debug("index dialled", "cluster", cluster, "address", address)
	}
	shared.users++
	return shared, nil
}

// release is router.Config.Release. The last user of a connection closes it;
// an index of this process is its host's to close.
func (d *dialer) release(index router.Index) {
	switch index := index.(type) {
	case *sharedPeer:
		d.leave(index)
	case *sharedGroup:
		d.mu.Lock()
		index.users--
		last := index.users == 0
		if last && d.groups[index.cluster.UID] == index {
			delete(d.groups, index.cluster.UID)
		}
		d.mu.Unlock()
		if !last {
			return
		}
		for _, shared := range index.members {
			d.leave(shared)
		}
	}
}

// leave is share's opposite.
func (d *dialer) leave(shared *sharedPeer) {
	d.mu.Lock()
	shared.users--
	last := shared.users == 0
	if last {
		delete(d.peers, shared.Address())
	}
	d.mu.Unlock()
	if !last {
		return
	}
	if err := shared.Close(); err != nil {
		d.log.Warn("the connection to an index did not close cleanly", "address", shared.Address(), "err", err)
	}
	d.log.Debug("index no longer used", "address", shared.Address())
}

// status is admin.Status. The index of a cluster that has only just been
// applied is waited for.
func (d *dialer) status(ctx context.Context, cluster *catalog.Cluster, epoch uint64) (cairn.IndexStatus, error) {
	if len(cluster.IndexReplicas) == 0 {
		d.local.await(ctx, cluster.UID)
	}
	index, err := d.dial(cluster)
	if err != nil {
		return cairn.IndexStatus{}, err
	}
	defer d.release(index)
	return index.Status(ctx, epoch)
}

// backer is an index that makes backups of itself.
type backer interface {
	Backup(ctx context.Context, cluster string, deliver func(data []byte) error) error
}

// backup is admin.Backup.
func (d *dialer) backup(ctx context.Context, cluster *catalog.Cluster, deliver func(data []byte) error) error {
	index, err := d.dial(cluster)
	if err != nil {
		return err
	}
	defer d.release(index)
	return index.(backer).Backup(ctx, cluster.Name, deliver) // all that dial returns are
}

// identify is admin.Identify.
func (d *dialer) identify(ctx context.Context, address string) (cairn.Identity, error) {
	shared, err := d.share("", address)
	if err != nil {
		return cairn.Identity{}, err
	}
	defer d.leave(shared)
	return shared.Identify(ctx)
}
