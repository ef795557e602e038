package etcdstore

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"cairn"
	"cairn/shardmap"
)

// publish makes a state's Map the Store's. An older one than what is published
// already, or than what the journal holds, is refused (KindStale).
func (s *Store) publish(state *state) error {
	var leftovers []generation
	if len(state.hidden) > 0 {
		leftovers = state.leftovers()
	}
	revision := state.current.Revision()
	s.mu.Lock()
	if revision < s.floor {
		floor := s.floor
		s.mu.Unlock()
		return cairn.Errorf(cairn.KindStale, "REVISION_REGRESSED",
			"etcd is at revision %d, but revision %d was seen before: it was restored from a backup, or is another etcd; if that is meant, restart without the map journal", revision, floor)
	}
	s.leftovers = leftovers
	s.foundings = state.foundings // before the Map: see FoundingSeen
	s.setLocked(state.current)
	s.mu.Unlock()
	if s.config.Events.Published != nil {
		s.config.Events.Published(revision)
	}
	return nil
}

// setLocked makes m the Store's Map and wakes who waits for it.
func (s *Store) setLocked(m *shardmap.Map) {
	s.floor = m.Revision()
	s.published.Store(m)
	close(s.changed)
	s.changed = make(chan struct{})
	for subscriber := range s.subscribers {
		select {
		case subscriber <- struct{}{}:
		default: // it has yet to look at the one before
		}
	}
}

// startFromJournal publishes the journal's Map, unless etcd's is there by now.
func (s *Store) startFromJournal(j *journaled) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.published.Load() != nil {
		return false
	}
	s.provenAt.Store(j.provenAt.UnixNano())
	s.setLocked(j.state.current)
	return true
}

// onChange is closed at the next publication. Take it before looking at Map.
func (s *Store) onChange() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// proven notes that the Map was current at a time.
func (s *Store) proven(at time.Time) {
	s.provenAt.Store(max(s.provenAt.Load(), at.UnixNano()))
	if s.journal != nil {
		s.journal.proven(s.Map().Revision(), at)
	}
}

// failed notes why there is no newer Map, and says so when it is news.
func (s *Store) failed(err error) {
	s.mu.Lock()
	news := s.lastErr == nil || s.lastErr.Error() != err.Error()
	s.lastErr = err
	s.mu.Unlock()
	if !news {
		return
	}
	tell := s.config.Events.Disconnected
	if kind := cairn.KindOf(err); kind == cairn.KindCorrupt || kind == cairn.KindStale {
		tell = s.config.Events.Refused
	}
	if tell != nil {
		tell(err)
	}
}

// recovered notes that etcd answers again, and says so when it is news.
func (s *Store) recovered() {
	s.mu.Lock()
	news := s.lastErr != nil
	s.lastErr = nil
	s.mu.Unlock()
	if news && s.config.Events.Recovered != nil {
		s.config.Events.Recovered(s.Map().Revision())
	}
}

// etcdError is an error of the etcd client in Cairn's terms.
func (s *Store) etcdError(op string, err error) error {
	if e, ours := errors.AsType[*cairn.Error](err); ours {
		return e
	}
	kind, reason := cairn.KindUnavailable, "ETCD_UNAVAILABLE"
	switch {
	case errors.Is(err, context.Canceled):
		kind, reason = cairn.KindDeadline, "CANCELED"
	case codeOf(err) == codes.ResourceExhausted:
		kind, reason = cairn.KindExhausted, "ETCD_EXHAUSTED" // its quota of space, most often
	}
	e := cairn.Errorf(kind, reason, "etcd at %v: %w", s.client.Endpoints(), err)
	e.Op = op
	return e
}
