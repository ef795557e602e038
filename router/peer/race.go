package peer

import (
	"context"
	"errors"
	"sync"
	"time"

	"cairn"
	"cairn/router/balance"
)

// question is a read as it is put to any replica of a group.
type question[Req, Resp any] interface {
	class() balance.Class
	link(*Peer) *link[Req, Resp]
	// message is a message of its own for each replica, which is given back with
	// release once nobody uses it.
	message(context.Context) *Req
	release(*Req)
	size(*Req) int
	// reached is the log index of an answer.
	reached(*Resp) uint64
}

// race puts one question to replicas of a group, to one after the other or beside
// each other, until one has answered. All of it goes on in the caller's goroutine.
type race[Req, Resp any] struct {
	group    *Group
	ctx      context.Context
	question question[Req, Resp]
	read     cairn.Read
	// done has room for all calls.
	done  chan *call[Req, Resp]
	asked balance.Set
	tries []try[Req, Resp] // that are not answered yet
	timer *time.Timer      // nil as long as there is nothing to wait for
	// hedges tells that the timer ends the time after which a second replica is
	// asked, not that of a replica that is silent.
	hedges bool
}

// try is one replica that was asked.
type try[Req, Resp any] struct {
	*call[Req, Resp]
	at    int
	began time.Duration
	hedge bool
}

// timers are used again and again.
var timers = sync.Pool{New: func() any {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return timer
}}

// askFirst puts a question to replicas of a group. It returns the call that was answered
// and who answered it, or the last failure; a refusal that no other replica would take back is
// the answer.
//
// The first replica is as the level and the balance have it. Where it fails or is
// behind, another is asked. Where it takes longer than nearly all answers do,
// another is asked too, if the budget for that allows it; where it is silent for
// half of the time that is left, in any case. Who answers first is taken; the
// others' answers are dropped, or the question if it has not been sent.
func askFirst[Req, Resp any](ctx context.Context, g *Group, read cairn.Read, q question[Req, Resp]) (*call[Req, Resp], *Peer, *cairn.Error) {
	r := race[Req, Resp]{group: g, ctx: ctx, question: q, read: read, done: make(chan *call[Req, Resp], len(g.replicas))}
	at, hedgeAfter, hedges := g.begin(read, q.class())
	if hedges {
		r.hedges = true
		r.wait(hedgeAfter)
	} else {
		r.waitHalf()
	}
	defer r.end()
	if answer, p, failure, over := r.put(at, false); over {
		return answer, p, failure
	}
	for {
		var expired <-chan time.Time
		if r.timer != nil {
			expired = r.timer.C
		}
		select {
		case c := <-r.done:
			if answer, p, failure, over := r.answered(c); over {
				return answer, p, failure
			}
		case <-expired:
			r.late()
		case <-ctx.Done():
			return nil, nil, q.link(g.replicas[at].Peer).deadline(ctx.Err())
		}
	}
}

// put asks one more replica. It is over if that can't be, and nobody else is left.
func (r *race[Req, Resp]) put(at int, hedge bool) (answer *call[Req, Resp], p *Peer, failure *cairn.Error, over bool) {
	p = r.group.replicas[at].Peer
	link := r.question.link(p)
	if err := r.ctx.Err(); err != nil {
		return nil, p, link.deadline(err), true
	}
	message := r.question.message(r.ctx)
	if err := checkSize(r.question.size(message)); err != nil {
		return nil, p, err, true
	}
	r.asked = r.asked.With(at)
	began := r.group.asks(at)
	c, failure := link.start(message, r.done)
	if failure != nil {
		r.question.release(message)
		r.group.failed(at, r.question.class(), began, failure)
		return r.another(at, failure)
	}
	r.tries = append(r.tries, try[Req, Resp]{c, at, began, hedge})
	return nil, nil, nil, false
}

// answered takes a call that is done: the answer, or a failure after which another
// replica is asked.
func (r *race[Req, Resp]) answered(c *call[Req, Resp]) (answer *call[Req, Resp], p *Peer, failure *cairn.Error, over bool) {
	t := r.take(c)
	p = r.group.replicas[t.at].Peer
	if c.err == nil {
		r.question.release(c.request)
		r.group.answered(t.at, r.question.class(), t.began, r.question.reached(c.response), t.hedge)
		return c, p, nil, true
	}
	if !c.sent {
		r.question.release(c.request)
	}
	if !r.group.failed(t.at, r.question.class(), t.began, c.err) {
		return c, p, c.err, true
	}
	return r.another(t.at, c.err)
}

// take takes the try of a call out of those that are not answered.
func (r *race[Req, Resp]) take(c *call[Req, Resp]) try[Req, Resp] {
	last := len(r.tries) - 1
	for i := range r.tries {
		if r.tries[i].call == c {
			r.tries[i], r.tries[last] = r.tries[last], r.tries[i]
			break
		}
	}
	t := r.tries[last]
	r.tries = r.tries[:last]
	return t
}

// another asks whoever is left after a failure. It is over if nobody is, and no
// other answer is to come.
func (r *race[Req, Resp]) another(failed int, failure *cairn.Error) (*call[Req, Resp], *Peer, *cairn.Error, bool) {
	at, more := r.group.next(r.read, failure, r.asked)
	if more {
		r.hedges = false
		r.waitHalf()
		return r.put(at, false)
	}
	if len(r.tries) > 0 {
		return nil, nil, nil, false
	}
	return nil, r.group.replicas[failed].Peer, failure, true
}

// late asks one more replica because the time of those before has passed.
func (r *race[Req, Resp]) late() {
	hedge := r.hedges
	r.hedges = false
	r.waitHalf()
	var at int
	var more bool
	if hedge {
		at, more = r.group.second(r.read, r.asked)
	} else {
		at, more = r.group.next(r.read, nil, r.asked)
	}
	if more {
		// Whoever can't be asked, others are still waited for.
		_, _, _, _ = r.put(at, hedge)
	}
}

// waitHalf has the timer end after half of the time that is left, if that ends.
func (r *race[Req, Resp]) waitHalf() {
	if deadline, bounded := r.ctx.Deadline(); bounded {
		r.wait(time.Until(deadline) / 2)
	}
}

func (r *race[Req, Resp]) wait(length time.Duration) {
	if r.timer == nil {
		r.timer = timers.Get().(*time.Timer)
	}
	r.timer.Reset(length)
}

// end gives up whoever has not answered, and the timer back.
func (r *race[Req, Resp]) end() {
	cancelled := errors.Is(r.ctx.Err(), context.Canceled)
	for _, t := range r.tries {
		if sent, gone := t.abandon(); gone && !sent {
			r.question.release(t.request)
		}
		r.group.gaveUp(t.at, r.question.class(), t.began, cancelled)
	}
	if r.timer != nil {
		r.timer.Stop()
		timers.Put(r.timer)
	}
}
