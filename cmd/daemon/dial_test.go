package daemon

import (
	"log/slog"
	"testing"

	"cairn"
	"cairn/shardmap/catalog"
)

func TestDialerSharesConnections(t *testing.T) {
	d := newDialer(&hosts{}, nil, "", slog.New(slog.DiscardHandler))
	north := &catalog.Cluster{Name: "north", UID: 1, IndexReplicas: []string{freeAddress(t)}}
	south := &catalog.Cluster{Name: "south", UID: 2, IndexReplicas: []string{freeAddress(t)}}
	first, err := d.dial(north)
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.dial(north)
	if err != nil || second != first {
		t.Errorf("the same address again: %p, %v; want the connection %p", second, err, first)
	}
	other, err := d.dial(south)
	if err != nil || other == first {
		t.Errorf("another address: %p, %v; want a connection of its own", other, err)
	}
	d.release(first)
	if third, err := d.dial(north); err != nil || third != first {
		t.Errorf("while another uses it: %p, %v; want the connection %p", third, err, first)
	}
	for _, each := range []*catalog.Cluster{north, north, south} {
		index, err := d.dial(each)
		if err != nil {
			t.Fatal(err)
		}
		d.release(index)
		d.release(index)
	}
	if len(d.peers) > 0 {
		t.Errorf("%d connections are left; want none", len(d.peers))
	}
}

func TestDialerWithoutAnIndex(t *testing.T) {
	d := newDialer(&hosts{}, nil, "", slog.New(slog.DiscardHandler))
	_, err := d.dial(&catalog.Cluster{Name: "north", UID: 1})
	if cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "INDEX_NOT_RUNNING" {
		t.Errorf("%v; want INDEX_NOT_RUNNING", err)
	}
}

// TestDialerSharesWhatIsKnownOfReplicas until the cluster names others.
func TestDialerSharesWhatIsKnownOfReplicas(t *testing.T) {
	d := newDialer(&hosts{}, nil, "east", slog.New(slog.DiscardHandler))
	north := &catalog.Cluster{Name: "north", UID: 1, IndexReplicas: []string{freeAddress(t), freeAddress(t)}}
	first, err := d.dial(north)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := d.dial(north); err != nil || second != first {
		t.Errorf("the same replicas: %p, %v; want the group %p", second, err, first)
	}
	d.release(first)
	moved := *north
	moved.IndexReplicas = append(moved.IndexReplicas, freeAddress(t))
	other, err := d.dial(&moved)
	if err != nil || other == first {
		t.Errorf("other replicas: %p, %v; want a group of their own", other, err)
	}
	if asked := d.asked(); len(asked) != 1 || len(asked[0].replicas) != 3 {
		t.Errorf("%+v; want the newest group alone", asked)
	}
	m := newMetrics()
	m.watchReplicas(d.asked)
	expectMetrics(t, m,
		`cairn_replica_ejected{cluster="north",replica="`+moved.IndexReplicas[2]+`"} 0`,
		`cairn_replica_slowness{cluster="north",replica="`+moved.IndexReplicas[0]+`"} 1`,
		`cairn_hedges_total{cluster="north",outcome="sent"} 0`,
	)
	d.release(first)
	d.release(other)
	if len(d.groups)+len(d.peers) > 0 {
		t.Errorf("%d groups and %d connections are left", len(d.groups), len(d.peers))
	}
}

func TestZoneOfAReplica(t *testing.T) {
	cluster := &catalog.Cluster{Zone: "east", Nodes: []cairn.Node{{Address: "10.0.0.1:5432", Zone: "west"}, {Address: "a-name", Zone: "south"}}}
	for address, want := range map[string]string{"10.0.0.1:7711": "west", "10.0.0.2:7711": "east", "no-port": "east"} {
		if got := zoneOf(cluster, address); got != want {
			t.Errorf("the replica at %s is in zone %q; want %q", address, got, want)
		}
	}
}
