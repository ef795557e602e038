package etcdstore

import (
	"context"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"cairn"
)

// electionTTL is how long, in seconds, whoever was elected is waited for when
// nothing is heard of it.
const electionTTL = 2

// Elect has lead run in one of all processes that call it with the same name, until
// ctx ends: the context that lead gets ends when the process can't be sure any more
// that it is the one, and lead must return then. Another takes over within about
// electionTTL, a second more where etcd is busy. For a moment two may run: an
// election saves work and gives no right to anything.
func (s *Store) Elect(ctx context.Context, name string, lead func(ctx context.Context)) {
	pause := newBackoff(s.config.RetryEvery)
	for ctx.Err() == nil {
		if s.candidate(ctx, name, lead) {
			pause.reset()
		}
		pause.wait(ctx)
	}
}

// candidate tells whether it was elected, when that is over.
func (s *Store) candidate(ctx context.Context, name string, lead func(ctx context.Context)) bool {
	session, err := s.lease(ctx, electionTTL)
	if err != nil {
		return false
	}
	defer s.resign(session)
	election := concurrency.NewElection(session, s.config.Prefix+electionsFolder+name)
	standing, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-session.Done():
			stop()
		case <-standing.Done():
		}
	}()
	if err := election.Campaign(standing, cairn.NewUID().String()); err != nil {
		return false
	}
	lead(standing)
	return true
}

// lease is a lease of so many seconds that is kept alive until ctx ends.
func (s *Store) lease(ctx context.Context, seconds int64) (*concurrency.Session, error) {
	grant, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	lease, err := s.client.Grant(grant, seconds)
	if err != nil {
		return nil, err
	}
	return concurrency.NewSession(s.client, concurrency.WithLease(lease.ID), concurrency.WithContext(ctx))
}

// resign gives the lease back, so that another need not wait for its end.
func (s *Store) resign(session *concurrency.Session) {
	session.Orphan()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = s.client.Revoke(ctx, session.Lease()) // else it runs out
}
