package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/router/peer"
)

// journals are what the logs of the indexes say of a keyspace, from the time on that
// they are followed: every change, of which cluster, in which order. Each replica of an
// index is followed by itself, so that none is missing where one has its log from a
// snapshot.
type journals struct {
	t        *testing.T
	keyspace cairn.UID
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex // guards what follows
	clusters map[string]journal
	reached  map[string]uint64 // by address
}

// journal has the changes of one index by their log index.
type journal map[uint64][]cairn.Change

// followJournals follows the replicas of clusters, at their own addresses, until the
// test ends.
func followJournals(t *testing.T, replicas map[string][]string) *journals {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	j := &journals{t: t, stop: cancel, clusters: map[string]journal{}, reached: map[string]uint64{}}
	t.Cleanup(j.end)
	var follow []func()
	for cluster, addresses := range replicas {
		j.clusters[cluster] = journal{}
		for _, address := range addresses {
			p, err := peer.Dial(address, peer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			j.reached[address] = j.status(p).AppliedIndex
			follow = append(follow, func() { j.follow(ctx, cluster, p) })
		}
	}
	for _, each := range follow {
		j.running.Go(each)
	}
	return j
}

func (j *journals) end() {
	j.stop()
	j.running.Wait()
}

// status is that of a replica, which is waited for; it tells the keyspace's uid too.
func (j *journals) status(p *peer.Peer) (status cairn.IndexStatus) {
	j.t.Helper()
	eventually(j.t, "the index at "+p.Address()+" says how it does", func() bool {
		ctx, cancel := context.WithTimeout(j.t.Context(), time.Second)
		defer cancel()
		var err error
		status, err = p.Status(ctx, 0)
		return err == nil && len(status.Shards) > 0
	})
	j.keyspace = status.Shards[0].Keyspace
	return status
}

// follow takes what a replica has applied, however often that is down meanwhile.
func (j *journals) follow(ctx context.Context, cluster string, p *peer.Peer) {
	for ctx.Err() == nil {
		j.mu.Lock()
		after := j.reached[p.Address()]
		j.mu.Unlock()
		err := p.Watch(ctx, cairn.WatchRequest{Keyspace: j.keyspace, After: after}, func(batch cairn.WatchBatch) error {
			j.take(cluster, p.Address(), batch)
			return nil
		})
		if cairn.KindOf(err) == cairn.KindCompacted {
			// It goes on from a snapshot; the others have what is missing.
			if status, err := p.Status(ctx, 0); err == nil {
				j.mu.Lock()
				j.reached[p.Address()] = status.AppliedIndex
				j.mu.Unlock()
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (j *journals) take(cluster, address string, batch cairn.WatchBatch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	after := j.reached[address]
	byIndex := map[uint64][]cairn.Change{}
	for _, change := range batch.Changes {
		if change.Stamp.Index > after {
			byIndex[change.Stamp.Index] = append(byIndex[change.Stamp.Index], change)
		}
	}
	for index, changes := range byIndex {
		if known, has := j.clusters[cluster][index]; has && len(known) != len(changes) {
			j.t.Errorf("log index %d of %s has %d changes, at %s %d", index, cluster, len(known), address, len(changes))
		}
		j.clusters[cluster][index] = changes
	}
	j.reached[address] = max(after, batch.Index)
}

// logged is a change, and whose log it stands in.
type logged struct {
	cairn.Change
	cluster string
}

func (c *logged) String() string {
	text := fmt.Sprintf("%s in the log of %s at %v, of shard %v: ", c.Key, c.cluster, c.Stamp, c.Shard)
	for _, entry := range []*cairn.Entry{c.Before, c.After} {
		text += fmt.Sprintf("%v ", versionIn(entry))
	}
	return text
}

// versionIn is an entry's version, zero for none.
func versionIn(e *cairn.Entry) (v cairn.Version) {
	if e != nil {
		v = e.Version
	}
	return v
}

// catchUp waits until of each cluster the replica that has most was followed that far.
func (j *journals) catchUp(replicas map[string][]string) {
	j.t.Helper()
	for cluster, addresses := range replicas {
		var applied uint64
		for _, address := range addresses {
			p, err := peer.Dial(address, peer.Options{})
			if err != nil {
				j.t.Fatal(err)
			}
			applied = max(applied, j.status(p).AppliedIndex)
			p.Close()
		}
		eventually(j.t, "the log of "+cluster+" was read to its end", func() bool {
			j.mu.Lock()
			defer j.mu.Unlock()
			return slices.ContainsFunc(addresses, func(address string) bool { return j.reached[address] >= applied })
		})
	}
}

// byKey are all changes, those of one key in the order of their stamps.
func (j *journals) byKey() map[string][]logged {
	j.mu.Lock()
	defer j.mu.Unlock()
	keys := map[string][]logged{}
	for cluster, journal := range j.clusters {
		for _, changes := range journal {
			for _, change := range changes {
				keys[string(change.Key)] = append(keys[string(change.Key)], logged{change, cluster})
			}
		}
	}
	for _, changes := range keys {
		slices.SortStableFunc(changes, func(a, b logged) int {
			return cmp.Or(a.Stamp.Compare(b.Stamp), cmp.Compare(a.cluster, b.cluster))
		})
	}
	return keys
}

// check checks that the logs of all sides are the log of one owner: in the order of
// their stamps each change finds what the one before has left, no epoch of a key is in
// the logs of two clusters, and the writes of a load that were acknowledged stand there
// once each, and no others.
func (j *journals) check(l *load) error {
	var failures []error
	keys := j.byKey()
	for _, changes := range keys {
		failures = append(failures, checkChain(changes))
	}
	for key := range l.count()/deedsPerKey + keysAtOnce {
		failures = append(failures, checkLogged(l, key, keys[string(l.keyOf(key))]))
	}
	return errors.Join(failures...)
}

// checkChain checks the changes of one key.
func checkChain(changes []logged) error {
	for i := 1; i < len(changes); i++ {
		before, after := &changes[i-1], &changes[i]
		if before.Stamp.Epoch == after.Stamp.Epoch && before.cluster != after.cluster {
			return fmt.Errorf("two owners in one epoch:\n%v\n%v", before, after)
		}
		if versionIn(before.After) != versionIn(after.Before) {
			return fmt.Errorf("a change does not find what the one before has left:\n%v\n%v", before, after)
		}
	}
	return nil
}

// checkLogged checks that the log has the writes of one key that a load was told of,
// each once.
func checkLogged(l *load, key int, changes []logged) error {
	puts, removed := map[cairn.Version]int{}, 0
	for _, change := range changes {
		if change.After == nil {
			removed++
		} else {
			puts[change.After.Version]++
		}
	}
	for i := range l.deeds {
		d := &l.deeds[i]
		if d.key != key || !d.writes() || d.outcome != done {
			continue
		}
		switch {
		case d.verb == put && puts[d.version] != 1:
			return fmt.Errorf("it stands in the logs %d times: %v", puts[d.version], d)
		case d.verb == put:
			delete(puts, d.version)
		case d.existed:
			removed--
		}
	}
	if len(puts) > 0 || removed != 0 {
		return fmt.Errorf("key %d: the logs have %d puts and %d deletes that nobody was told of", key, len(puts), removed)
	}
	return nil
}

// TestJournalsAreJudged checks the judge.
func TestJournalsAreJudged(t *testing.T) {
	version := func(epoch, index uint64) *cairn.Entry {
		return &cairn.Entry{Version: cairn.Version{Epoch: epoch, Index: index}}
	}
	change := func(cluster string, epoch, index uint64, before, after *cairn.Entry) logged {
		return logged{cairn.Change{Key: cairn.Key("k"), Before: before, After: after, Stamp: cairn.Stamp{Epoch: epoch, Index: index}}, cluster}
	}
	wrote := func(epoch, index uint64) deed {
		return deed{verb: put, version: cairn.Version{Epoch: epoch, Index: index}}
	}
	first := change("north", 1, 5, nil, version(1, 5))
	for _, test := range []struct {
		name    string
		changes []logged
		deeds   []deed
		right   bool
	}{
		{"one after the other", []logged{first, change("south", 2, 3, version(1, 5), version(2, 3))}, []deed{wrote(1, 5), wrote(2, 3)}, true},
		{"deleted", []logged{first, change("south", 2, 3, version(1, 5), nil)}, []deed{wrote(1, 5), {verb: remove, existed: true}}, true},
		{"two owners at once", []logged{first, change("south", 1, 6, version(1, 5), version(1, 6))}, []deed{wrote(1, 5), wrote(1, 6)}, false},
		{"not found by the next", []logged{first, change("south", 2, 3, nil, version(2, 3))}, []deed{wrote(1, 5), wrote(2, 3)}, false},
		{"not in any log", []logged{first}, []deed{wrote(1, 5), wrote(2, 3)}, false},
		{"done twice", []logged{first, change("south", 2, 3, version(1, 5), version(1, 5))}, []deed{wrote(1, 5)}, false},
		{"done and never told", []logged{first, change("south", 2, 3, version(1, 5), version(2, 3))}, []deed{wrote(1, 5)}, false},
		{"deleted and never told", []logged{first, change("south", 2, 3, version(1, 5), nil)}, []deed{wrote(1, 5)}, false},
		{"refused and done", []logged{first}, []deed{{verb: put, version: cairn.Version{Epoch: 1, Index: 5}, outcome: refused}}, false},
	} {
		err := errors.Join(checkChain(test.changes), checkLogged(&load{history: history{deeds: test.deeds}}, 0, test.changes))
		if (err == nil) != test.right {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
