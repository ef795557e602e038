package router

import (
	"container/list"
	"sync"

	"cairn"
)

// DefaultKeptBytes is how much is kept of answers to pinned questions.
const DefaultKeptBytes = 64 << 20

const (
	// mostKept bounds the kept answers, whatever their size.
	mostKept = 1 << 16
	// keptShare is which part of the room one answer may have at most.
	keptShare = 8
)

// pinnedID names an answer that never changes: to a question about one version of a
// view, of exactly these shards at these epochs, as of one index of their owner's
// log. An index that was restored has other epochs, a view that was replaced another
// version: their answers have other names, so none is ever out of date.
type pinnedID struct {
	question questionID
	shards   cairn.Fingerprint
	index    uint64
}

// keptAnswers are answers by what they answer, the last used ones as far as there is
// room. Any goroutine may use them.
type keptAnswers struct {
	room int64

	mu    sync.Mutex // guards what follows
	used  int64
	byID  map[pinnedID]*list.Element
	order list.List // of *keptAnswer, the last used first
}

// keptAnswer is an answer that nobody changes.
type keptAnswer struct {
	id    pinnedID
	reply *cairn.ViewReply
	size  int64
}

func newKeptAnswers(room int64) *keptAnswers {
	if room == 0 {
		room = DefaultKeptBytes
	}
	return &keptAnswers{room: room, byID: make(map[pinnedID]*list.Element)}
}

// answer is the kept answer to a part, nil if there is none or it may not be used: only
// a pinned part is answered so, of the very state that it names.
func (k *keptAnswers) answer(part asked) *cairn.ViewReply {
	if !part.Pinned || part.Level != cairn.AtLeast {
		return nil
	}
	return k.get(pinnedID{part.id, part.Shards, part.Index})
}

// keep keeps the answer to a part, if that is pinned and the answer is about its shards.
func (k *keptAnswers) keep(part asked, reply *cairn.ViewReply) {
	if part.Pinned && reply.Fingerprint == part.Shards {
		k.put(pinnedID{part.id, part.Shards, reply.Index}, reply)
	}
}

// get is a kept answer, nil if there is none.
func (k *keptAnswers) get(id pinnedID) *cairn.ViewReply {
	k.mu.Lock()
	defer k.mu.Unlock()
	element, found := k.byID[id]
	if !found {
		return nil
	}
	k.order.MoveToFront(element)
	return element.Value.(*keptAnswer).reply
}

// put keeps an answer, unless it is too large, and gives up others for it.
func (k *keptAnswers) put(id pinnedID, reply *cairn.ViewReply) {
	size := sizeOfReply(reply) + int64(len(id.question))
	if size > k.room/keptShare {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if element, found := k.byID[id]; found {
		k.order.MoveToFront(element)
		return
	}
	k.byID[id] = k.order.PushFront(&keptAnswer{id, reply, size})
	k.used += size
	for k.used > k.room || len(k.byID) > mostKept {
		oldest := k.order.Remove(k.order.Back()).(*keptAnswer)
		delete(k.byID, oldest.id)
		k.used -= oldest.size
	}
}

// sizeOfReply is about how many bytes a reply takes in memory, rather more than
// less.
func sizeOfReply(reply *cairn.ViewReply) int64 {
	const (
		fixed    = 512 // the reply, and what keeping it takes
		eachRow  = 128
		eachItem = 48 // a value, a group or a decision beside its texts
	)
	size := int64(fixed + len(reply.Plan))
	for i := range reply.Rows {
		row := &reply.Rows[i]
		size += int64(eachRow + len(row.Key) + 4*len(row.Nodes) + len(row.Attributes))
		size += sizeOfValues(row.Values, eachItem)
	}
	for i := range reply.Groups {
		size += eachItem + sizeOfValues(reply.Groups[i].Values, eachItem)
	}
	size += sizeOfValues([]cairn.Value{reply.Aggregation.Min, reply.Aggregation.Max}, eachItem)
	for _, decision := range reply.Membership.Deciding {
		size += int64(3*eachItem + len(decision.Text) + len(decision.Value.Text()))
	}
	return size
}

func sizeOfValues(values []cairn.Value, each int) (size int64) {
	for _, value := range values {
		size += int64(each + len(value.Text()))
	}
	return size
}
