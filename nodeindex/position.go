package nodeindex

import (
	"context"
	"sync"
	"sync/atomic"

	"cairn"
)

// position is how far the log is applied, and wakes who waits for it.
type position struct {
	applied, revision atomic.Uint64

	mu      sync.Mutex
	changed chan struct{} // closed at the next advance; nil if nobody waits
	closed  bool
}

// advance moves the position forwards.
func (p *position) advance(applied, revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision.Store(revision)
	p.applied.Store(applied)
	p.wakeLocked()
}

func (p *position) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wakeLocked()
}

func (p *position) wakeLocked() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// until waits for reached to be true, looking again after each advance. It
// returns errClosed, or ctx's error as it is.
func (p *position) until(ctx context.Context, reached func() bool) error {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return errClosed
		}
		// Looked at with the mutex held, so that no advance is missed.
		if reached() {
			p.mu.Unlock()
			return nil
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Position is the applied log index and the map revision noted in the log. The
// revision is never newer than the index: every entry before the one that
// brought it is applied.
func (x *Index) Position() (applied, revision uint64) {
	revision = x.position.revision.Load() // first, since advance stores it first
	return x.position.applied.Load(), revision
}

// Wait returns nil as soon as the log's map revision and applied index are at
// least those given; ctx's end is KindNotYet (LOG_BEHIND), and Close
// KindUnavailable (CLOSED).
func (x *Index) Wait(ctx context.Context, revision, index uint64) error {
	p := &x.position
	reached := func() bool { return p.applied.Load() >= index && p.revision.Load() >= revision }
	if reached() {
		return nil
	}
	err := p.until(ctx, reached)
	if err == nil || cairn.KindOf(err) == cairn.KindUnavailable {
		return err
	}
	applied, noted := x.Position()
	return cairn.Errorf(cairn.KindNotYet, "LOG_BEHIND",
		"the replica has applied index %d at map revision %d; asked for %d at %d: %w", applied, noted, index, revision, err)
}
