package daemon

import (
	"context"
	"sync"
	"time"

	"cairn"
)

// openingTimeout bounds how long hosts.await waits.
const openingTimeout = 2 * time.Second

// hosts are the indexes that run in this process. The zero hosts run none, and
// are what a process has that runs none ever.
type hosts struct {
	mu   sync.RWMutex
	byID map[cairn.UID]*host
	// opened is closed, and replaced, when a host comes; nil if none is
	// expected ever.
	opened chan struct{}
}

// newHosts makes hosts that will come and go.
func newHosts() *hosts {
	return &hosts{byID: map[cairn.UID]*host{}, opened: make(chan struct{})}
}

func (h *hosts) get(cluster cairn.UID) (*host, bool) {
	found, _, ok := h.look(cluster)
	return found, ok
}

func (h *hosts) look(cluster cairn.UID) (found *host, opened <-chan struct{}, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	found, ok = h.byID[cluster]
	return found, h.opened, ok
}

// await waits a moment for a host that is about to open.
func (h *hosts) await(ctx context.Context, cluster cairn.UID) {
	enough := time.NewTimer(openingTimeout)
	defer enough.Stop()
	for {
		_, opened, ok := h.look(cluster)
		if ok || opened == nil {
			return
		}
		select {
		case <-opened:
		case <-enough.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (h *hosts) set(arrived *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byID[arrived.cluster.UID] = arrived
	close(h.opened)
	h.opened = make(chan struct{})
}

// take removes and returns the hosts that a condition holds for.
func (h *hosts) take(holds func(*host) bool) (taken []*host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for uid, each := range h.byID {
		if holds(each) {
			delete(h.byID, uid)
			taken = append(taken, each)
		}
	}
	return taken
}

// local lists the hosts for the metrics.
func (h *hosts) local() (list []localIndex) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, each := range h.byID {
		list = append(list, localIndex{each.cluster.Name, each.status})
	}
	return list
}

// close closes all at once: each may have a checkpoint to write.
func (h *hosts) close() {
	var group sync.WaitGroup
	for _, each := range h.take(func(*host) bool { return true }) {
		group.Go(each.close)
	}
	group.Wait()
}
