package main

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"cairn"
	"cairn/router/client"
	"cairn/shardmap/placement"
)

// Store is values by key, each in the Redis server that Cairn says. It is what a data
// service does whose values move.
type Store struct {
	Cairn     *client.Client
	Keyspace  string
	Placement cairn.Placement

	mu    sync.Mutex // guards nodes
	nodes map[string]*node
}

// pause is how long who was refused waits before the key is located again.
const pause = 5 * time.Millisecond

// Put writes a value, and gives a key that has none an entry. It is acknowledged where
// it returns nil; with an error it may have happened.
func (s *Store) Put(ctx context.Context, key cairn.Key, value string) error {
	return s.retry(ctx, func(level cairn.Level) error {
		location, _, err := s.Cairn.Locate(ctx, s.Keyspace, key, cairn.Reading{Freshness: cairn.Freshness{Level: level}})
		if err != nil {
			return err
		}
		if location.State == cairn.Found {
			return s.write(ctx, location.Primary.Address, location.Epoch, key, value)
		}
		put := cairn.Write{Operation: cairn.Put, Key: key} // an entry that is there by now keeps its node
		outcome, _, err := s.Cairn.Put(ctx, s.Keyspace, put, cairn.NewRequestID(time.Now()))
		if err != nil {
			return err
		}
		return s.write(ctx, outcome.Primary.Address, outcome.Version.Epoch, key, value)
	})
}

func (s *Store) write(ctx context.Context, address string, epoch uint64, key cairn.Key, value string) error {
	_, err := s.node(address).run(ctx, "write", s.Keyspace, s.placed(key), epoch, string(key), value)
	return err
}

// Get reads a value; false if the key has none.
func (s *Store) Get(ctx context.Context, key cairn.Key) (value string, found bool, err error) {
	err = s.retry(ctx, func(level cairn.Level) error {
		location, _, err := s.Cairn.Locate(ctx, s.Keyspace, key, cairn.Reading{Freshness: cairn.Freshness{Level: level}})
		if err != nil || location.State != cairn.Found {
			return err
		}
		answer, err := s.node(location.Primary.Address).run(ctx, "read", s.Keyspace, s.placed(key), location.Epoch, string(key))
		value, found = answer.(string)
		return err
	})
	return value, found, err
}

// retry asks again, of the index's leader, for as long as a node refuses.
func (s *Store) retry(ctx context.Context, try func(cairn.Level) error) error {
	level := cairn.Eventual
	for {
		err := try(level)
		switch {
		case cairn.KindOf(err) != cairn.KindStale && cairn.KindOf(err) != cairn.KindConflict || err == nil:
			return err
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		}
		level = cairn.Linearizable
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (s *Store) placed(key cairn.Key) string {
	return hex.EncodeToString(placement.Key(s.Placement, key, nil))
}

func (s *Store) node(address string) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[address]
	if n == nil {
		if s.nodes == nil {
			s.nodes = map[string]*node{}
		}
		n = openNode(address)
		s.nodes[address] = n
	}
	return n
}

// Close ends the connections to nodes.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		n.redis.Close() // there is nothing to be done about an error
	}
}
