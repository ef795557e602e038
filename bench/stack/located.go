package stack

import (
	"context"
	"path/filepath"

	"cairn"
	"cairn/bench/load"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router"
)

// BatchLocator is who locates, batches too: a router in this process, or a client of one
// elsewhere.
type BatchLocator interface {
	Locate(ctx context.Context, keyspace string, key cairn.Key, read cairn.Reading) (cairn.Location, cairn.Token, error)
	BatchLocate(ctx context.Context, keyspace string, keys []cairn.Key, read cairn.Reading) ([]cairn.Location, cairn.Token, error)
}

// Locator is the router of this process, or a client of the other.
func (s *Durable) Locator(embedded bool) BatchLocator {
	if embedded {
		return s.router
	}
	return s.client
}

// cachedBytes is what the cache of a router that has one takes at the most.
const cachedBytes = 1 << 30

// Caching is another router of this process, whose cache has the first entries.
func (s *Durable) Caching(ctx context.Context, entries int) (BatchLocator, error) {
	r, err := s.route(cachedBytes)
	if err != nil {
		return nil, err
	}
	s.caching = r
	keys := make([]cairn.Key, 0, fillBatch)
	// What is asked for before the index's changes are followed is not kept.
	for known := 0; known < entries; {
		for n := 0; n < entries; n += len(keys) {
			keys = keys[:0]
			for len(keys) < cap(keys) && n+len(keys) < entries {
				keys = append(keys, load.Key(n+len(keys)))
			}
			if _, _, err := r.BatchLocate(ctx, Keyspace, keys, cairn.Reading{}); err != nil {
				return nil, err
			}
		}
		stats, _ := r.CacheStats()
		known = stats.Entries
	}
	return r, nil
}

// Router is the router of this process.
func (s *Durable) Router() *router.Router { return s.router }

// Declare declares views over the stack's keyspace and waits until they serve.
func (s *Durable) Declare(ctx context.Context, views ...*cairnv1.View) error {
	return declare(ctx, s.admin, views)
}

// Fill puts the first entries, without attributes, into the stack and lets it
// settle.
func (s *Durable) Fill(ctx context.Context, entries int) error {
	return s.FillWith(ctx, entries, put)
}

// FillWith puts entries made of the first numbers into the stack and lets it
// settle.
func (s *Durable) FillWith(ctx context.Context, entries int, writeOf func(n int) cairn.Write) error {
	if err := fill(ctx, s.router, entries, writeOf); err != nil {
		return err
	}
	return settle(ctx, clusterName, s.client.BackupCluster)
}

// IndexUsage is what the first replica has resident, pages of its mapped file
// included, and what its files have on disk, in bytes.
func (s *Durable) IndexUsage() (memory, disk int64, err error) {
	return usageOf(s.index, filepath.Join(s.deployment.folder, indexFolder(0)))
}

// PIDs are the processes that a locate goes through: the index and, if it is
// not this process, the router.
func (s *Durable) PIDs(embedded bool) []int {
	pids := []int{s.index.PID()}
	if !embedded {
		processes := s.deployment.processes
		pids = append(pids, processes[len(processes)-1].PID()) // it was started last
	}
	return pids
}
