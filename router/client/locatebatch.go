package client

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// The bounds of a batch of plain locates. Those with attributes have large
// answers.
const (
	mostLocates     = 1024
	mostFullLocates = 64
	mostLocateBytes = 64 << 10
)

// locatePacker makes batches of locates that travel together. It is used again and
// again: what it made before is overwritten.
type locatePacker struct {
	batches []*locateBatch
	// open is the last batch of each kind.
	open map[fellows]*locateBatch
	last *locateBatch
	// keys are the bytes of the keys: whose locate ends early may change his.
	keys []byte
}

func (p *locatePacker) reset() {
	clear(p.batches)
	p.batches, p.last, p.keys = p.batches[:0], nil, p.keys[:0]
	clear(p.open)
}

// add puts a locate into a batch.
func (p *locatePacker) add(c *locate) {
	if p.last == nil || p.last.fellows != c.fellows {
		p.last = p.open[c.fellows]
	}
	if p.last == nil || !p.last.takes(c) {
		p.last = &locateBatch{fellows: c.fellows}
		p.batches = append(p.batches, p.last)
		if p.open == nil {
			p.open = make(map[fellows]*locateBatch)
		}
		p.open[c.fellows] = p.last
	}
	start := len(p.keys)
	p.keys = append(p.keys, c.key...)
	p.last.add(c, p.keys[start:len(p.keys):len(p.keys)])
}

// locateBatch is locates in one message, until each is answered.
type locateBatch struct {
	fellows fellows
	request cairnv1.StreamLocateRequest
	// locates are nil where they have been answered; left says how many have not.
	locates []*locate
	left    int
	// gone is how many nobody waits for any more. Guarded by the mutex of the session.
	gone     int
	bytes    int
	deadline time.Time // the first of its locates'
}

// takes tells whether there is room for one more.
func (b *locateBatch) takes(c *locate) bool {
	most := mostLocates
	if c.fellows.withAttributes {
		most = mostFullLocates
	}
	return len(b.locates) < most && b.bytes+len(c.key) <= mostLocateBytes
}

func (b *locateBatch) add(c *locate, key []byte) {
	if b.request.Batch == nil {
		b.deadline = c.deadline
		b.request.InParts = true
		b.request.Batch = &cairnv1.BatchLocateRequest{
			Keyspace: keyspacePrefix + c.fellows.keyspace,
			View:     viewOf(c.fellows.withAttributes), Freshness: wire.FreshnessOf(c.fellows.level, c.fellows.token),
		}
	}
	if c.deadline.Before(b.deadline) {
		b.deadline = c.deadline
	}
	b.request.Batch.Keys = append(b.request.Batch.Keys, key)
	b.locates = append(b.locates, c)
	c.batch = b
	b.left++
	b.bytes += len(key)
}

// message is the batch as it is sent. It is of no use once it has been sent.
func (b *locateBatch) message() *cairnv1.StreamLocateRequest {
	b.request.Timeout = durationpb.New(max(0, time.Until(b.deadline)))
	return &b.request
}

// deliver hands a response to the locates that it is of. It tells whether none is
// left.
func (b *locateBatch) deliver(response *cairnv1.StreamLocateResponse) (all bool) {
	if failed := response.GetError(); failed != nil {
		failure := rpcerr.FromProto(failed)
		b.eachOf(response, func(_ int, c *locate) { c.err = failure })
		return b.left == 0
	}
	answer := response.GetBatch()
	token, err := wire.FromToken("token", answer.GetToken())
	if err != nil {
		b.fail(rpcerr.FromError(broken(err)))
		return true
	}
	nodes := tableOf(answer.GetNodes())
	b.eachOf(response, func(i int, c *locate) {
		if i >= len(answer.GetLocations()) {
			c.err = cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server gave %d locations where there are more keys", len(answer.GetLocations()))
			return
		}
		location, err := nodes.location(answer.GetLocations()[i])
		switch {
		case err != nil:
			c.err = rpcerr.FromError(err)
		case location.Err != nil:
			c.err = location.Err
		default:
			c.location, c.token = location, token
		}
	})
	return b.left == 0
}

// eachOf has the locates that a response is of filled in, by their position in the
// response, and answered. One that was answered before is left alone.
func (b *locateBatch) eachOf(response *cairnv1.StreamLocateResponse, fill func(i int, c *locate)) {
	answer := func(i int, position uint32) {
		if int(position) >= len(b.locates) || b.locates[position] == nil {
			return
		}
		c := b.locates[position]
		b.locates[position] = nil
		b.left--
		fill(i, c)
		c.done <- struct{}{}
	}
	if positions := response.GetPositions(); len(positions) > 0 {
		for i, position := range positions {
			answer(i, position)
		}
		return
	}
	for i := range b.locates {
		answer(i, uint32(i))
	}
}

// fail fails the locates that are left.
func (b *locateBatch) fail(failure *cairn.Error) {
	for i, c := range b.locates {
		if c != nil {
			b.locates[i] = nil
			c.err = failure
			c.done <- struct{}{}
		}
	}
	b.left = 0
}
