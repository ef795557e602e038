package etcd

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"cairn/bench/spawn"
)

// partMember is what a process of a group plays.
const partMember = "etcd-member"

// startTimeout is how long a member may take to find its group.
const startTimeout = time.Minute

// Play plays a member in this process until the one that spawned it ends it.
// played is false if there is no part of that name.
func Play(ctx context.Context, name string, args []string) (played bool, err error) {
	if name != partMember || len(args) != 5 {
		return false, nil
	}
	return true, serve(ctx, args[0], args[1], args[2], args[3], args[4])
}

// serve runs one member: its name, its folder, its client and peer addresses,
// and the whole group as etcd's initial-cluster.
func serve(ctx context.Context, name, folder, clients, peers, group string) error {
	config := embed.NewConfig()
	config.Name, config.Dir = name, filepath.Join(folder, name)
	config.ListenClientUrls = []url.URL{{Scheme: "http", Host: clients}}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: peers}}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = group
	config.EnableGRPCGateway = false
	// Its log would tell of a slow disk on every other line.
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(startTimeout):
		return fmt.Errorf("etcd %s did not serve within %s", name, startTimeout)
	}
	return spawn.Ready(clients)
}

// initialCluster is a group as etcd's flag of that name spells it.
func initialCluster(names, peers []string) string {
	members := make([]string, len(names))
	for i := range names {
		members[i] = names[i] + "=http://" + peers[i]
	}
	return strings.Join(members, ",")
}
