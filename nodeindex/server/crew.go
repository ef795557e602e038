package server

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// crew runs the jobs of one stream that may wait, on goroutines that it
// starts as they are needed, up to a bound, and keeps, since a goroutine that
// has grown its stack is worth keeping. Its jobs hold a bounded number of
// bytes.
type crew[J any] struct {
	run     func(J)
	jobs    chan J
	slots   chan struct{}
	bytes   *semaphore.Weighted
	running sync.WaitGroup
}

func newCrew[J any](workers int, run func(J)) *crew[J] {
	return &crew[J]{
		run:   run,
		jobs:  make(chan J),
		slots: make(chan struct{}, workers),
		bytes: semaphore.NewWeighted(requestBytes),
	}
}

// do has a job run, waiting while the crew is busy. It fails when ctx ends
// first. The job must give its bytes back with free.
func (c *crew[J]) do(ctx context.Context, bytes int, job J) error {
	if err := c.bytes.Acquire(ctx, int64(bytes)); err != nil {
		return err
	}
	select {
	case c.jobs <- job: // to an idle worker rather than a new one
		return nil
	default:
	}
	select {
	case c.jobs <- job:
	case c.slots <- struct{}{}:
		c.running.Go(func() { c.work(job) })
	case <-ctx.Done():
		c.free(bytes)
		return ctx.Err()
	}
	return nil
}

func (c *crew[J]) free(bytes int) { c.bytes.Release(int64(bytes)) }

func (c *crew[J]) work(job J) {
	for more := true; more; job, more = <-c.jobs {
		c.run(job)
	}
}

// close waits until every job has run.
func (c *crew[J]) close() {
	close(c.jobs)
	c.running.Wait()
}
