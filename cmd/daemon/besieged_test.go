package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cairn"
	"cairn/nodeindex"
	"cairn/router/peer"
)

// besieged is a cluster of three replicas with a network of the test's between
// all processes but etcd. Replicas go by the addresses that their proxies have.
type besieged struct {
	*replicated
	t        *testing.T // of the fault
	all      *testing.T // for as long as the processes live
	network  *network
	etcdData string
	stopEtcd func()
	routing  child // the router's
	routerAt Addresses
	// small is the file system that one replica has to itself; empty if none
	// could be mounted.
	small string
}

const routerName = "router"

// besiege starts the processes and waits until all replicas have a vote.
func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{
		replicated: &replicated{indexes: map[string]*process{}, configs: map[string]child{}},
		t:          t, all: t, network: newNetwork(t), etcdData: t.TempDir(),
	}
	b.etcd, b.stopEtcd = etcdForTest(t, b.etcdData, anyPort)
	b.routing = child{Kind: "router", Etcd: []string{b.etcd}, Data: t.TempDir(), Cache: sheltered, Listen: freeAddress(t)}
	b.runRouter()
	b.caller = call(t, b.routerAt.Listen)
	for i := range 3 {
		server, name := freeAddress(t), string(rune('a'+i))
		address := b.network.before(name, server)
		b.configs[address] = child{
			Kind: "index", Cluster: "north", Data: t.TempDir(), Etcd: []string{b.etcd}, Join: i > 0,
			Listen: server, Advertise: address, Mischief: filepath.Join(t.TempDir(), name),
			CheckpointBytes: 64 << 10, // so that restarts find checkpoints of all ages
		}
		if i == 2 {
			b.small = b.mountBelow(address)
		}
		b.declared = append(b.declared, address)
		b.run(address)
		if i == 0 {
			b.declare()
		}
		b.indexes[address].ready()
	}
	b.declare()
	b.settle()
	return b
}

// runRouter starts the router and waits until it is ready.
func (b *besieged) runRouter() {
	b.router = start(b.all, b.routing)
	b.network.runs(routerName, b.router)
	b.routerAt = b.router.ready()
}

// mountBelow gives a replica a small file system to itself, if it can.
func (b *besieged) mountBelow(address string) (dir string) {
	config := b.configs[address]
	if err := tryMount(b.all, config.Data); err != nil {
		b.all.Logf("no disk becomes really full, since no small file system can be mounted (%v); run the tests as root", err)
		return ""
	}
	dir = config.Data
	config.Data = filepath.Join(dir, "index")
	b.configs[address] = config
	return dir
}

// name is a replica's name in the network.
func (b *besieged) name(address string) string { return filepath.Base(b.configs[address].Mischief) }

// run starts a replica's process, which may not be ready yet.
func (b *besieged) run(address string) {
	b.indexes[address] = start(b.all, b.configs[address])
	b.network.runs(b.name(address), b.indexes[address])
}

func (b *besieged) mischief(address string) mischief { return mischief(b.configs[address].Mischief) }

// others are the addresses of the other replicas.
func (b *besieged) others(than string) []string {
	return slices.DeleteFunc(slices.Clone(b.declared), func(address string) bool { return address == than })
}

// agree checks that all replicas have the same entries, once they have caught
// up.
func (b *besieged) agree() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	leader := b.settle()
	var applied uint64
	var keyspace cairn.UID
	held := map[string]string{}
	for _, address := range append([]string{leader}, b.others(leader)...) {
		p, err := peer.Dial(b.configs[address].Listen, peer.Options{})
		if err != nil {
			b.t.Fatal(err)
		}
		defer p.Close()
		status, err := p.Status(ctx, 0)
		if err != nil {
			b.t.Fatal(err)
		}
		if address == leader {
			applied, keyspace = status.AppliedIndex, status.Shards[0].Keyspace
		}
		for held[address] == "" {
			entries, err := everything(ctx, p, keyspace, applied)
			if err == nil {
				held[address] = entries
			} else if cairn.KindOf(err) != cairn.KindNotYet || ctx.Err() != nil {
				b.t.Fatalf("replica %s: %v", address, err)
			}
		}
		if held[address] != held[leader] {
			b.t.Errorf("replica %s has\n%s\nand the leader, %s, has\n%s", address, held[address], leader, held[leader])
		}
	}
}

// everything is all that a replica has, as text, once its log has reached an
// index.
func everything(ctx context.Context, p *peer.Peer, keyspace cairn.UID, index uint64) (string, error) {
	var text strings.Builder
	request := cairn.ListRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.AtLeast, Index: index}, Limit: 1000, MaxBytes: 1 << 20}
	for {
		page, err := p.List(ctx, &request)
		if err != nil {
			return "", err
		}
		for _, e := range page.Entries {
			fmt.Fprintf(&text, "%s %v %x %v\n", e.Key, e.Nodes, e.Attributes, e.Version)
			request.Start = append(slices.Clone(e.Key), 0)
		}
		if !page.More {
			return text.String() + "\n", nil
		}
	}
}

// finish ends all processes and checks what they leave.
func (b *besieged) finish() {
	b.t.Helper()
	expectTrueCache(b.t, b.routerAt)
	b.terminate()
	for address, config := range b.configs {
		if report, err := nodeindex.Check(filepath.Join(config.Data, nodeindex.FileName)); err != nil {
			b.t.Errorf("the file of %s: %v\n%v", address, err, report)
		}
	}
}
