package fleet

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"cairn/router"
	"cairn/router/rendezvous"
)

// Options tune a Fleet; the zero value is good.
type Options struct {
	// Silence is how long a router that was asked may say nothing; 0 for 300 ms.
	Silence time.Duration
	// Rest is how long a router that did not answer is not asked; 0 for 1 s.
	Rest time.Duration
	// Dial are further options of connections; without, they are not encrypted.
	Dial []grpc.DialOption
	// Log gets what happens; nil: nobody does.
	Log *slog.Logger
}

// Fleet is the other routers of a fleet. Any goroutine may use it.
type Fleet struct {
	options Options
	members atomic.Pointer[members]

	mu     sync.Mutex // for those who change members
	closed bool
}

// members are who is of the fleet. They are immutable, but for the connections.
type members struct {
	self   string
	all    rendezvous.Members
	others map[string]*member
}

// New makes a Fleet of nobody.
func New(options Options) *Fleet {
	if options.Silence <= 0 {
		options.Silence = silence
	}
	if options.Rest <= 0 {
		options.Rest = time.Second
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{options: options}
	f.members.Store(new(members))
	return f
}

// Set says who is of the fleet by their addresses, and which of them this router is.
// It waits for nobody. Those who have left are not asked any more; what they are being
// asked fails.
func (f *Fleet) Set(self string, addresses []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.replaceLocked(self, addresses)
}

func (f *Fleet) replaceLocked(self string, addresses []string) {
	before := f.members.Load()
	after := &members{self: self, others: map[string]*member{}}
	var reachable []string
	for _, address := range addresses {
		if address == self {
			reachable = append(reachable, self)
			continue
		}
		known := before.others[address]
		if known == nil {
			dialled, err := dial(address, f.options)
			if err != nil {
				f.options.Log.Warn("a router of the fleet can't be asked", "address", address, "err", err)
				continue
			}
			known = dialled
		}
		after.others[address] = known
		reachable = append(reachable, address)
	}
	after.all = rendezvous.Of(reachable)
	f.members.Store(after)
	for address, gone := range before.others {
		if after.others[address] == nil {
			gone.close()
		}
	}
	f.options.Log.Info("the routers of the fleet", "self", self, "all", reachable)
}

// Owner is router.Config.Fleet: whom a question belongs to, nil if that is this router
// or nobody.
func (f *Fleet) Owner(question string) router.Member {
	m := f.members.Load()
	owner := m.others[m.all.Owner(question)]
	if owner == nil || owner.rests() {
		return nil
	}
	return owner
}

// Close ends it; from then on nobody is asked.
func (f *Fleet) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replaceLocked("", nil)
	f.closed = true
}
