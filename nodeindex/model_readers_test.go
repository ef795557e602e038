package nodeindex

import (
	"context"
	"sync"

	"cairn"

	"pgregory.net/rapid"
)

// sighting is one answer that a concurrent reader got.
type sighting struct {
	key   string
	found cairn.Located
}

// readers read all the time; what they saw is judged by the history.
type concurrentReaders struct {
	stop context.CancelFunc
	wait sync.WaitGroup
	mu   sync.Mutex
	seen []sighting
	err  error
}

func startReaders(x *Index) *concurrentReaders {
	ctx, stop := context.WithCancel(context.Background())
	r := &concurrentReaders{stop: stop}
	for n := range 2 {
		r.wait.Go(func() {
			var last sighting
			for i := n; ctx.Err() == nil; i++ {
				uid, key := modelKeyspaces[i%2], modelKey(i%60)
				var reply cairn.LocateReply
				err := x.Locate(&cairn.LocateRequest{Read: cairn.Read{Keyspace: uid}, WithAttributes: true, Keys: []cairn.Key{key}}, &reply)
				last = sighting{key: historyKey(uid, key)}
				if err == nil {
					last.found = reply.Results[0]
				}
				var page cairn.ListReply
				if err == nil && i%8 == 0 {
					err = askAtRandom(x, uid, i)
				}
				if err == nil && i%16 == 0 {
					err = x.List(&cairn.ListRequest{Read: cairn.Read{Keyspace: uid}, Start: key, Limit: 3}, &page)
				}
				r.mu.Lock()
				if len(r.seen) < 20_000 {
					r.seen = append(r.seen, last)
				}
				if err != nil && r.err == nil {
					r.err = err
				}
				r.mu.Unlock()
			}
		})
	}
	return r
}

func (r *concurrentReaders) end(t *rapid.T, m *model) {
	r.stop()
	r.wait.Wait()
	expect(t, r.err == nil, "a reader met %v", r.err)
	for _, s := range r.seen {
		if s.found.State == cairn.NotOwned {
			continue
		}
		// The key's state as of the answer's stamp.
		var want *modelEntry
		for _, w := range m.history[s.key] {
			if w.index <= s.found.Stamp.Index {
				want = w.entry
			}
		}
		if s.found.State == cairn.Absent {
			expect(t, want == nil, "key %q seen absent at %v, was %+v", s.key, s.found.Stamp, want)
			continue
		}
		expect(t, want != nil && want.version == s.found.Version && want.attributes == string(s.found.Attributes),
			"key %q seen as %+v, was %+v", s.key, s.found, want)
	}
}
