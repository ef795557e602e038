package etcdstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"cairn"
)

// memberTTL is how long, in seconds, a router of the fleet counts as one after it was
// last heard of.
const memberTTL = 3

var errLeaseOver = errors.New("the lease is over, or its key is gone")

// JoinFleet makes a router one of the fleet until ctx ends: all that have joined learn
// of its address within a moment, and that it has gone when it leaves, or within about
// memberTTL when it is not heard of any more. changed gets the addresses of all members,
// ascending, this one included, at first and whenever they change.
//
// While etcd does not answer the members stay who they were last known to be: that one
// is a member says where to ask, not that it will answer.
func (s *Store) JoinFleet(ctx context.Context, address string, changed func(addresses []string)) {
	pause := newBackoff(s.config.RetryEvery)
	for ctx.Err() == nil {
		if joined := s.member(ctx, address, changed); joined {
			pause.reset()
		}
		pause.wait(ctx)
	}
}

// member tells whether the router was a member, when it can't be sure of that any more.
func (s *Store) member(ctx context.Context, address string, changed func(addresses []string)) (joined bool) {
	session, err := s.lease(ctx, memberTTL)
	if err != nil {
		return false
	}
	defer s.resign(session)
	put, cancel := context.WithTimeout(ctx, requestTimeout)
	_, err = s.client.Put(put, s.config.Prefix+routersFolder+address, cairn.NewUID().String(), clientv3.WithLease(session.Lease()))
	cancel()
	if err != nil {
		return false
	}
	for {
		addresses, revision, err := s.fleet(ctx)
		if err != nil || !slices.Contains(addresses, address) {
			return joined
		}
		joined = true
		changed(addresses)
		if s.awaitFleet(ctx, session, revision) != nil {
			return joined
		}
	}
}

// fleet is the addresses of all members as of a revision.
func (s *Store) fleet(ctx context.Context) (addresses []string, revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	folder := s.config.Prefix + routersFolder
	response, err := s.client.Get(ctx, folder, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, 0, err
	}
	for _, kv := range response.Kvs {
		addresses = append(addresses, strings.TrimPrefix(string(kv.Key), folder))
	}
	return addresses, response.Header.Revision, nil
}

// awaitFleet waits until members have changed after a revision. It fails if ctx or the
// lease end before, or etcd can't be followed.
func (s *Store) awaitFleet(ctx context.Context, session *concurrency.Session, revision int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	watch := s.client.Watch(ctx, s.config.Prefix+routersFolder, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	select {
	case response := <-watch: // empty where it ends by itself: then all is read anew
		return response.Err()
	case <-session.Done():
		return errLeaseOver
	case <-ctx.Done():
		return ctx.Err()
	}
}
