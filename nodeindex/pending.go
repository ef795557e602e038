package nodeindex

import (
	"cairn"
)

// pendingPuts are what one command changes, kept from readers until the whole
// command is worked out: a key that is written twice in one command must never
// be seen as of the first, for both writes have the same log index.
type pendingPuts struct {
	puts  []pendingPut
	byKey map[pendingKey]int
}

type pendingPut struct {
	keyspace cairn.UID
	item     *item
}

type pendingKey struct {
	keyspace cairn.UID
	key      string
}

func (p *pendingPuts) get(keyspace cairn.UID, key []byte) *item {
	if len(p.byKey) == 0 {
		return nil
	}
	if at, found := p.byKey[pendingKey{keyspace, string(key)}]; found {
		return p.puts[at].item
	}
	return nil
}

func (p *pendingPuts) put(keyspace cairn.UID, i *item) {
	key := pendingKey{keyspace, keyString(i.entry.Key)}
	if at, found := p.byKey[key]; found {
		p.puts[at].item = i
		return
	}
	if p.byKey == nil {
		p.byKey = make(map[pendingKey]int)
	}
	p.byKey[key] = len(p.puts)
	p.puts = append(p.puts, pendingPut{keyspace, i})
}

// publish shows the changes to readers and forgets them.
func (p *pendingPuts) publish(o *overlay) {
	var t *table
	var of cairn.UID
	for _, put := range p.puts {
		if t == nil || of != put.keyspace {
			t, of = o.makeTable(put.keyspace), put.keyspace
		}
		t.put(put.item)
	}
	clear(p.puts)
	p.puts = p.puts[:0]
	clear(p.byKey)
}
