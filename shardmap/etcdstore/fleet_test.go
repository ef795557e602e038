package etcdstore_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn/shardmap/etcdstore"
	"cairn/shardmap/etcdstore/etcdtest"
)

// joinedFleet is a router's membership.
type joinedFleet struct {
	leave   func()
	members func() []string
}

func joinFleet(t *testing.T, s *etcdstore.Store, address string) joinedFleet {
	var mu sync.Mutex
	var members []string
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		s.JoinFleet(ctx, address, func(addresses []string) {
			mu.Lock()
			defer mu.Unlock()
			members = addresses
		})
	})
	leave := func() { cancel(); all.Wait() }
	t.Cleanup(leave)
	return joinedFleet{leave: leave, members: func() []string {
		mu.Lock()
		defer mu.Unlock()
		return members
	}}
}

// becomes waits until the members are known.
func (f joinedFleet) becomes(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !slices.Equal(f.members(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the members are %v; want %v", f.members(), want)
		}
	}
}

// TestTheFleetIsWhoHasJoined has routers come, leave and be forgotten.
func TestTheFleetIsWhoHasJoined(t *testing.T) {
	server := etcdtest.Start(t)
	s, client := open(t, etcdstore.Config{Client: server.Client(t)}), server.Client(t)
	a := joinFleet(t, s, "a:1")
	a.becomes(t, "a:1")
	b, c := joinFleet(t, s, "b:1"), joinFleet(t, s, "c:1")
	for _, each := range []joinedFleet{a, b, c} {
		each.becomes(t, "a:1", "b:1", "c:1")
	}
	b.leave()
	a.becomes(t, "a:1", "c:1")
	if left := b.members(); len(left) != 3 {
		t.Errorf("who has left knows %v", left)
	}

	// Who is not heard of any more is gone with its lease, and comes back if it was
	// only the lease that went.
	key := etcdstore.DefaultPrefix + "routers/a:1"
	lease := clientv3.LeaseID(memberOf(t, client, key).Lease)
	left, err := client.TimeToLive(bounded(t), lease)
	if err != nil || left.GrantedTTL < 1 || left.GrantedTTL > 10 {
		t.Fatalf("a lease of %v: %v", left, err)
	}
	revoked, err := client.Revoke(bounded(t), lease)
	if err != nil {
		t.Fatal(err)
	}
	for again := memberOf(t, client, key); again == nil || again.CreateRevision <= revoked.Header.Revision; again = memberOf(t, client, key) {
		time.Sleep(5 * time.Millisecond)
	}
	c.becomes(t, "a:1", "c:1")
}

// memberOf is a member's record, nil if there is none.
func memberOf(t *testing.T, client *clientv3.Client, key string) *mvccpb.KeyValue {
	t.Helper()
	found, err := client.Get(bounded(t), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Kvs) == 0 {
		return nil
	}
	return found.Kvs[0]
}
