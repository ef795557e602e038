package peer

import (
	"math/rand/v2"
	"time"

	"cairn"
	"cairn/router/balance"
)

// now is the balance's time.
func (g *Group) now() time.Duration { return time.Since(g.began) }

// begin is whom to put a read to first, and when to ask a second replica too.
func (g *Group) begin(read cairn.Read, class balance.Class) (at int, hedgeAfter time.Duration, hedges bool) {
	behind := g.behind(read)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	hedgeAfter, hedges = g.balance.HedgeAfter(class)
	at, ok := g.balance.Choose(now, rand.Uint64(), behind)
	if !ok || g.balance.Ejected(at, now) {
		at, _ = g.balance.Choose(now, rand.Uint64(), 0)
	}
	return at, hedgeAfter, hedges
}

// behind are the replicas that are not known to have reached what a read is to be
// answered by. One that follows lags a little; the leader does not.
func (g *Group) behind(read cairn.Read) (behind balance.Set) {
	if read.Level == cairn.Eventual {
		return 0
	}
	leader := int(g.leader.Load())
	for i := range g.replicas {
		if i != leader && g.replicas[i].reached.Load() < read.Index {
			behind = behind.With(i)
		}
	}
	return behind
}

// next is whom to put a read to after those that were asked: the leader that a
// refusal names, who is not behind, or who is left. failure is nil where those that
// were asked have only not answered yet.
func (g *Group) next(read cairn.Read, failure error, asked balance.Set) (at int, more bool) {
	if at := g.named(failure); at >= 0 {
		g.leader.Store(int32(at))
		if !asked.Has(at) {
			return at, true
		}
	}
	if at, more = g.choose(asked | g.behind(read)); more && !g.isEjected(at) {
		return at, true
	}
	return g.choose(asked)
}

// asks notes that a replica is asked, and says when.
func (g *Group) asks(at int) (began time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.balance.Asked(at)
	return g.now()
}

// answered notes an answer of a log index.
func (g *Group) answered(at int, class balance.Class, began time.Duration, index uint64, hedge bool) {
	for reached := &g.replicas[at].reached; ; {
		before := reached.Load()
		if before >= index || reached.CompareAndSwap(before, index) {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.balance.Answered(at, class, now-began, now)
	if hedge {
		g.balance.HedgeWon()
	}
}

// failed notes a failure, and tells whether another replica may do better.
func (g *Group) failed(at int, class balance.Class, began time.Duration, err *cairn.Error) (another bool) {
	another, unreachable := learn(err)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	switch {
	case err.Kind == cairn.KindDeadline:
		g.balance.GivenUp(at, class, now-began, now)
	case unreachable:
		g.balance.Failed(at, now)
	default:
		g.balance.Withdrawn(at)
	}
	return another
}

// gaveUp notes that a replica is not waited for any more. cancelled tells that
// nobody wants the answer.
func (g *Group) gaveUp(at int, class balance.Class, began time.Duration, cancelled bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cancelled {
		g.balance.Withdrawn(at)
		return
	}
	now := g.now()
	g.balance.GivenUp(at, class, now-began, now)
}

// second is whom to hedge a read to: one that is likely to answer at once, if there
// is one and the budget allows it.
func (g *Group) second(read cairn.Read, asked balance.Set) (at int, ok bool) {
	except := asked | g.behind(read)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	at, ok = g.balance.Choose(now, rand.Uint64(), except)
	return at, ok && !g.balance.Ejected(at, now) && g.balance.TakeHedge()
}

// Standing is how a replica stands with those who ask it through a Group.
type Standing struct {
	Address string
	balance.Standing
}

// Standings are how the replicas stand, and what became of second questions.
func (g *Group) Standings() ([]Standing, balance.Hedges) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	standings := make([]Standing, len(g.replicas))
	for i := range g.replicas {
		standings[i] = Standing{g.replicas[i].Address(), g.balance.Standing(i, now)}
	}
	return standings, g.balance.Hedges()
}
