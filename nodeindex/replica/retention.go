package replica

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// retention is what must stay in the log behind a checkpoint: what a snapshot
// being sent is to be followed by, and what followers lack that lag, those that
// have just installed one among them. Else a follower that takes long to
// install would find, under steady writes, that the log goes on too far ahead
// of it, again and again. It is bounded by the bytes of the log's files.
type retention struct {
	dir    string // of the log
	limit  int64
	room   func() error // why nothing more may be kept, nil if it may
	logger *slog.Logger
	now    func() time.Time

	mu        sync.Mutex // guards what follows
	pins      map[*pin]bool
	followers map[raft.ServerID]*follower
}

// pin keeps the log from an index on.
type pin struct{ index uint64 }

// follower is a replica that this one sends to, as the leader.
type follower struct {
	// has is the highest index that it is known to have in its log.
	has uint64
	// asked is when something was last sent to it.
	asked time.Time
}

// forgetAfter is how long after the last attempt to send to it a follower is
// taken for one that this replica does not lead any more. Attempts go on,
// several a second, for as long as it does.
const forgetAfter = time.Minute

func newRetention(config Config, dir string) *retention {
	return &retention{
		dir: dir, limit: config.LogBytes, room: func() error { return config.room(0) }, logger: config.Logger, now: time.Now,
		pins: make(map[*pin]bool), followers: make(map[raft.ServerID]*follower),
	}
}

// pin keeps the log from an index on until unpin.
func (r *retention) pin(index uint64) *pin {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &pin{index}
	r.pins[p] = true
	return p
}

func (r *retention) unpin(p *pin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pins, p)
}

// keeps tells whether a pin still holds: it has not been given up.
func (r *retention) keeps(p *pin) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pins[p]
}

// asks notes that something is being sent to a follower.
func (r *retention) asks(id raft.ServerID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.followers[id] == nil {
		r.followers[id] = &follower{}
	}
	r.followers[id].asked = r.now()
}

// acknowledged notes that a follower has the log up to an index.
func (r *retention) acknowledged(id raft.ServerID, index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.followers[id]; f != nil {
		f.has = index
	}
}

// floor is the lowest index that must stay in a log that begins with first.
// The entry that a follower has last is among it: what follows is told by that
// one's term.
func (r *retention) floor(first uint64) uint64 {
	allowed := r.allowed()
	r.mu.Lock()
	defer r.mu.Unlock()
	floor := uint64(math.MaxUint64)
	for p := range r.pins {
		if p.index < allowed {
			delete(r.pins, p)
			r.logger.Warn("the log can't be kept for as long as a snapshot takes to be sent; who gets it needs another",
				"snapshot", p.index, "kept_from", allowed, "limit", bytesText(uint64(r.limit)))
			continue
		}
		floor = min(floor, p.index)
	}
	for id, f := range r.followers {
		switch {
		case r.now().Sub(f.asked) > forgetAfter:
			delete(r.followers, id)
		case f.has < first: // it needs a snapshot in any case
		case f.has < allowed:
			r.logger.Warn("the log is not kept any longer for a replica that lags; it will get a snapshot",
				"replica", string(id), "has", f.has, "kept_from", allowed, "limit", bytesText(uint64(r.limit)))
			f.has = 0
		default:
			floor = min(floor, f.has)
		}
	}
	return floor
}

// allowed is the lowest index that may be kept: from there on the log's files
// take no more than the limit, or are one. Where the disk has no room it is
// above all.
func (r *retention) allowed() uint64 {
	if r.room() != nil {
		return math.MaxUint64
	}
	files, err := os.ReadDir(r.dir) // ascending by name, and so by index
	if err != nil {
		return math.MaxUint64
	}
	allowed, left := uint64(math.MaxUint64), r.limit
	for i := len(files) - 1; i >= 0; i-- {
		base, is := segmentBase(files[i].Name())
		if !is {
			continue
		}
		info, err := files[i].Info()
		if err != nil {
			break // it has just been removed, and so have those before it
		}
		if left -= info.Size(); left < 0 && allowed != math.MaxUint64 {
			break
		}
		allowed = base
	}
	return allowed
}

// segmentBase is the first index of a file of the log, and whether it is one.
func segmentBase(name string) (base uint64, is bool) {
	var id uint64
	if _, err := fmt.Sscanf(name, "%d-%x.wal", &base, &id); err != nil {
		return 0, false
	}
	return base, name == segment.FileName(types.SegmentInfo{BaseIndex: base, ID: id})
}
