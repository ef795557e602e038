package main

import (
	"os"
	"testing"
	"time"

	"cairn/bench/etcd"
	"cairn/bench/load"
	"cairn/bench/locates"
	"cairn/bench/spawn"
	"cairn/bench/subject"
	"cairn/bench/ycsb"
)

// TestCairnAndEtcdAnswerTheSame asks Cairn in both ways, and etcd, for the nodes
// of the same entries, and has both do each of YCSB's mixes.
func TestCairnAndEtcdAnswerTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a whole stack and etcd; leave out -short")
	}
	const entries, callers, operations = 500, 2, 100
	kept, err := subject.Keep(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	}()
	located, err := kept.Locate(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := etcd.Start(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := peer.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := peer.Fill(t.Context(), entries, located.Nodes); err != nil {
		t.Fatal(err)
	}
	for _, side := range []locates.Side{located.InProcess(), located.Remote()} {
		if err := locates.Compare(t.Context(), side, peer, entries, 4); err != nil {
			t.Error(err)
		}
	}
	if said, err := peer.Peer(t.Context()); err != nil || said.Version == "" {
		t.Errorf("etcd says it is %v, %v", said, err)
	}
	if remote, inProcess := located.PIDs(false), located.PIDs(true); len(remote) != 2 || len(inProcess) != 1 {
		t.Errorf("%v and %v; want router and index, and the index", remote, inProcess)
	}
	for _, pids := range [][]int{located.PIDs(false), peer.PIDs(), spawn.WithChildren(os.Getpid())} {
		if used := spawn.Used(pids); used <= 0 || used > time.Hour {
			t.Errorf("processes %v have used %v; want some time", pids, used)
		}
	}
	records, err := peer.FillRecords(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	positions, err := kept.Positions(t.Context(), 10, entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []ycsb.Store{kept, records} {
		loaded := ycsb.Load(store, entries, positions)
		for _, mix := range ycsb.Mixes {
			if !loaded.Can(&mix) {
				continue
			}
			if _, err := load.Exactly(t.Context(), loaded.Calls(&mix, load.Zipfian(entries), callers), operations); err != nil {
				t.Errorf("%s of %T: %v", mix.Name, store, err)
			}
		}
	}
}
