package client

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// The bounds of a batch, in keys and in their bytes. Those with attributes have large
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
	p.last.add(c, func(key cairn.Key) []byte {
		start := len(p.keys)
		p.keys = append(p.keys, key...)
		return p.keys[start:len(p.keys):len(p.keys)]
	})
}

// locateBatch is locates in one message, until each is answered.
type locateBatch struct {
	fellows fellows
	request cairnv1.StreamLocateRequest
	// keys are whose the keys of the request are; left says of how many there is no
	// answer yet.
	keys []keyOf
	left int
	// locates is how many locates there are, and gone how many of them nobody waits for
	// any more, which is guarded by the mutex of the session.
	locates, gone int
	bytes         int
	deadline      time.Time // the first of its locates'
}

// keyOf is one key of a locate, which is nil once there is an answer.
type keyOf struct {
	locate *locate
	at     int
}

// takes tells whether there is room for one more.
func (b *locateBatch) takes(c *locate) bool {
	most := mostLocates
	if c.fellows.withAttributes {
		most = mostFullLocates
	}
	return len(b.keys)+len(c.keys) <= most && b.bytes+c.size <= mostLocateBytes
}

// add adds a locate; copied is a key as it stays.
func (b *locateBatch) add(c *locate, copied func(cairn.Key) []byte) {
	if b.request.Batch == nil {
		b.deadline = c.deadline
		b.request.InParts = true
		b.request.Batch = &cairnv1.BatchLocateRequest{
			Keyspace: keyspacePrefix + c.fellows.keyspace,
			View:     viewOf(c.fellows.withAttributes), Freshness: wire.FreshnessOf(c.fellows.level, c.fellows.token),
			Choice: choiceOf(c.fellows.choice),
		}
	}
	if c.deadline.Before(b.deadline) {
		b.deadline = c.deadline
	}
	b.request.Batch.Keys, b.keys = slices.Grow(b.request.Batch.Keys, len(c.keys)), slices.Grow(b.keys, len(c.keys))
	for at, key := range c.keys {
		b.request.Batch.Keys = append(b.request.Batch.Keys, copied(key))
		b.keys = append(b.keys, keyOf{c, at})
	}
	c.batch = b
	b.locates++
	b.left += len(c.keys)
	b.bytes += c.size
}

// message is the batch as it is sent. It is of no use once it has been sent.
func (b *locateBatch) message() *cairnv1.StreamLocateRequest {
	b.request.Timeout = durationpb.New(max(0, time.Until(b.deadline)))
	return &b.request
}

// deliver hands a response to the locates that it is of. It tells whether there is
// nothing left to be answered.
func (b *locateBatch) deliver(response *locateResponse) (all bool) {
	if response.failure != nil {
		failure := rpcerr.FromProto(response.failure)
		whole := len(response.positions) == 0
		b.eachOf(response.positions, func(_ int, key keyOf) {
			if whole {
				key.locate.err = failure
				return
			}
			key.locate.locations[key.at].Err = failure
		})
		return b.left == 0
	}
	token, err := wire.FromToken("token", response.token)
	if err != nil {
		b.fail(rpcerr.FromError(broken(err)))
		return true
	}
	nodes := tableOf(response.nodes)
	var last *locate // whose token covers this answer already
	b.eachOf(response.positions, func(i int, key keyOf) {
		if i >= len(response.locations) {
			key.locate.err = cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server gave %d locations where there are more keys", len(response.locations))
			return
		}
		location, err := nodes.decode(response.locations[i])
		if err != nil {
			key.locate.err = rpcerr.FromError(err)
			return
		}
		key.locate.locations[key.at] = location
		if key.locate != last {
			last = key.locate
			last.token = last.token.Merge(token)
		}
	})
	return b.left == 0
}

// eachOf has the keys at positions filled in, all if there are none. One that was
// answered before is left alone.
func (b *locateBatch) eachOf(positions []uint32, fill func(i int, key keyOf)) {
	answer := func(i int, position uint32) {
		if int(position) >= len(b.keys) || b.keys[position].locate == nil {
			return
		}
		key := b.keys[position]
		b.keys[position].locate = nil
		b.left--
		fill(i, key)
		key.locate.answered()
	}
	for i, position := range positions {
		answer(i, position)
	}
	if len(positions) > 0 {
		return
	}
	for i := range b.keys {
		answer(i, uint32(i))
	}
}

// fail fails the keys that are left.
func (b *locateBatch) fail(failure *cairn.Error) {
	for i, key := range b.keys {
		if key.locate != nil {
			b.keys[i].locate = nil
			key.locate.err = failure
			key.locate.answered()
		}
	}
	b.left = 0
}
