package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// sweep is a question to every owner of a keyspace, decided by one map: each
// answers for exactly the shards that the map gives it, so that a shard which
// moves meanwhile is answered for once. A part whose cluster is of another mind
// has the whole sweep decided anew; the others keep their answers as far as
// they own the same.
type sweep struct {
	router    *Router
	verb      Verb
	name      string
	keyspace  cairn.UID
	freshness cairn.Freshness

	// hasty gives a cluster up at once where nobody listens.
	hasty bool

	directory *directory
	declared  *catalog.Keyspace
	// redecided is how often the parts were decided anew.
	redecided int

	mu sync.Mutex // guards what the parts learn
	// token is how fresh the answer is, the request's included.
	token cairn.Token
	// newer is the map revision that a part wants the whole sweep decided by;
	// 0 if none does. last is why.
	newer uint64
	last  *cairn.Error
}

// asker is a part of a sweep that can be asked.
type asker interface {
	share() *part
	// send asks an index once and keeps the reply. The answer is set as far as
	// the index gave one.
	send(ctx context.Context, index Index, read cairn.Read) (cairn.Answer, cairn.Fingerprint, error)
}

// decide takes a map at least as new as revision.
func (s *sweep) decide(ctx context.Context, revision uint64) error {
	m, err := s.router.mapAt(ctx, revision)
	if err != nil {
		return asError(err)
	}
	keyspace, found := m.Catalog().KeyspaceByUID(s.keyspace)
	if !found {
		return keyspaceNotFound(s.name)
	}
	s.directory, s.declared, s.newer = s.router.connections.directory(m), keyspace, 0
	return nil
}

// pace comes before the parts are decided anew: two indexes whose logs
// disagree would otherwise be asked in turn without a pause.
func (s *sweep) pace(ctx context.Context) error {
	if s.redecided++; s.redecided <= 2 || pause(ctx, pauseBefore(s.redecided, rand.Float64())) {
		return nil
	}
	if s.last == nil {
		s.last = cairn.Errorf(cairn.KindStale, "SHARDS_MOVING", "the keyspace's shards kept changing owners")
	}
	return gaveUp(ctx, s.redecided, s.last)
}

// cluster is a part's cluster by the map decided by.
func (s *sweep) cluster(p *part) *catalog.Cluster {
	at, _ := s.directory.find(p.owner.Cluster)
	return s.directory.members[at].cluster
}

// attempt is how a part's cluster is asked.
type attempt struct {
	member *member
	read   cairn.Read
}

// attempt is the first one for a part, whose cluster's log must have noted epoch.
func (s *sweep) attempt(p *part, epoch uint64) (attempt, *cairn.Error) {
	at, found := s.directory.find(p.owner.Cluster)
	if !found {
		return attempt{}, asError(mapHole(s.directory, s.declared, nil))
	}
	member := &s.directory.members[at]
	return attempt{member, readOf(s.declared, epoch, member.cluster, s.seen(p))}, nil
}

// ask asks a part's cluster, whose log must have noted epoch, until it is
// answered. If it is not, either the sweep has to be decided anew, or refusal
// says why nobody will answer.
func (s *sweep) ask(ctx context.Context, to asker, epoch uint64) (answered bool, refusal *cairn.Error) {
	first, refusal := s.attempt(to.share(), epoch)
	if refusal != nil {
		return false, refusal
	}
	return s.insist(ctx, to, first, s.askOnce(ctx, to, first))
}

// insist is ask after a first attempt, by what was learnt from that.
func (s *sweep) insist(ctx context.Context, to asker, last attempt, learnt verdict) (answered bool, refusal *cairn.Error) {
	p, decidedBy := to.share(), s.directory.m.Revision()
	event := RetryEvent{Verb: s.verb, Keyspace: s.name, Cluster: last.member.cluster.Name}
	for learnt.refusal != nil {
		if learnt.refusal.Kind == cairn.KindStale {
			// What left the cluster does not show in the epochs of what stayed:
			// an index that is behind is made to catch up with the whole map.
			last.read.Epoch = max(last.read.Epoch, decidedBy)
		}
		if learnt.action == reroute {
			s.router.retrying(event, learnt.refusal)
			s.wantNewer(learnt.revision, learnt.refusal)
			return false, nil
		}
		if s.hasty && refusesConnections(learnt.refusal) {
			return false, learnt.refusal
		}
		if !s.router.prepareNext(ctx, event, learnt, &p.trial) {
			if learnt.action == giveUp && (learnt.refusal.Kind != cairn.KindDeadline || p.trial.last == nil) {
				return false, learnt.refusal
			}
			return false, gaveUp(ctx, p.trial.tries, p.trial.last)
		}
		// What was refused by this map may be right by one that came since.
		if m := s.router.config.Topology.Map(); m != nil && m.Revision() > decidedBy {
			s.wantNewer(m.Revision(), learnt.refusal)
			return false, nil
		}
		learnt = s.askOnce(ctx, to, last)
	}
	p.trial = trial{}
	return true, nil
}

// askOnce asks a part's cluster once.
func (s *sweep) askOnce(ctx context.Context, to asker, by attempt) verdict {
	index, err := by.member.connection.get(by.member.cluster)
	if err != nil {
		return learnRead(err, cairn.Answer{}, s.directory.m.Revision())
	}
	answer, fingerprint, err := to.send(ctx, index, by.read)
	return s.learn(&to.share().owner, by.member.cluster, answer, fingerprint, err)
}

// learn is what a part's answer means. One for another set of shards than the map gives
// the cluster is a refusal.
func (s *sweep) learn(owner *shardmap.Owner, cluster *catalog.Cluster, answer cairn.Answer, fingerprint cairn.Fingerprint, err error) verdict {
	decidedBy := s.directory.m.Revision()
	if err != nil {
		return learnRead(err, answer, decidedBy)
	}
	if fingerprint != owner.Fingerprint {
		return learnStale(otherShards(cluster, answer, decidedBy), answer, decidedBy)
	}
	s.mu.Lock()
	s.token = s.token.With(owner.Cluster, cairn.Stamp{Epoch: owner.MaxEpoch, Index: answer.Index})
	s.mu.Unlock()
	return verdict{}
}

// refusesConnections tells whether an error says that nobody listens where a
// cluster's index should.
func refusesConnections(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// seen is how fresh a part's next answer must be: no older than the last one
// of the same cluster, so that no page goes back in time from row to row.
func (s *sweep) seen(p *part) cairn.Freshness {
	s.mu.Lock()
	defer s.mu.Unlock()
	freshness := s.freshness
	if s.token.Index(p.owner.Cluster) > 0 {
		freshness.Level, freshness.Token = max(freshness.Level, cairn.AtLeast), s.token
	}
	return freshness
}

func (s *sweep) wantNewer(revision uint64, refusal *cairn.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newer = max(s.newer, revision)
	if refusal != nil {
		s.last = refusal
	}
}

func otherShards(cluster *catalog.Cluster, answer cairn.Answer, decidedBy uint64) *cairn.Error {
	return cairn.Errorf(cairn.KindStale, "OTHER_SHARDS",
		"cluster %s owns other shards by its log at map revision %d than by the router's map at %d", cluster.Name, answer.Revision, decidedBy)
}

func emptyPage(cluster *catalog.Cluster) *cairn.Error {
	return cairn.Errorf(cairn.KindInternal, "PAGE_EMPTY", "the index of cluster %s says that there is more after a page of nothing", cluster.Name)
}

// together does n things at the same time, the first in this goroutine.
func together(n int, do func(i int)) {
	if n == 0 {
		return
	}
	var others sync.WaitGroup
	for i := 1; i < n; i++ {
		others.Go(func() { do(i) })
	}
	do(0)
	others.Wait()
}
