package daemon

import (
	"log/slog"
	"testing"

	"cairn"
	"cairn/shardmap/catalog"
)

func TestDialerSharesConnections(t *testing.T) {
	d := newDialer(&hosts{}, slog.New(slog.DiscardHandler))
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
	d := newDialer(&hosts{}, slog.New(slog.DiscardHandler))
	_, err := d.dial(&catalog.Cluster{Name: "north", UID: 1})
	if cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "INDEX_NOT_RUNNING" {
		t.Errorf("%v; want INDEX_NOT_RUNNING", err)
	}
}
