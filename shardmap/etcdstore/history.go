package etcdstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
	"cairn/shardmap"
)

// What happened to the Map is kept beside it, in the transaction that did it. It
// stands outside the prefix, so that who follows the Map neither loads nor watches
// it.

// historyPage is how many changes are read at once.
const historyPage = 500

func (s *Store) historyFolder() string {
	return strings.TrimSuffix(s.config.Prefix, "/") + "-history/"
}

// happenedRecord is a change as it is stored; its revision is its key's.
type happenedRecord struct {
	Time      time.Time        `json:"time"`
	Who       string           `json:"who,omitempty"`
	Why       string           `json:"why,omitempty"`
	Resources []resourceRecord `json:"resources,omitempty"`
	Shards    []shardHappened  `json:"shards,omitempty"`
}

type resourceRecord struct {
	Name string `json:"name"`
	What string `json:"what"`
}

type shardHappened struct {
	Keyspace     cairn.UID     `json:"keyspace"`
	KeyspaceName string        `json:"keyspace_name"`
	ID           cairn.ShardID `json:"id"`
	Before       *shardWas     `json:"before,omitempty"`
	After        *shardWas     `json:"after,omitempty"`
}

type shardWas struct {
	Cluster string      `json:"cluster"`
	Start   hexadecimal `json:"start"`
	End     hexadecimal `json:"end"`
	// Epoch is left out where it is the transaction's revision.
	Epoch  uint64 `json:"epoch,omitempty"`
	Pinned bool   `json:"pinned,omitempty"`
}

// remember is the operation that keeps what a change does, nil if there is nothing to
// remember. Repeated, it does the same.
func (s *Store) remember(ctx context.Context, change shardmap.Change, m *shardmap.Map) *clientv3.Op {
	h, something := change.Happens(m)
	if !something {
		return nil
	}
	author := shardmap.AuthorFrom(ctx)
	record := happenedRecord{Time: s.config.Now().UTC().Round(time.Microsecond), Who: author.Who, Why: author.Why}
	for _, r := range h.Resources {
		record.Resources = append(record.Resources, resourceRecord(r))
	}
	for _, each := range h.Shards {
		record.Shards = append(record.Shards, shardHappened{each.Keyspace, each.KeyspaceName, each.ID, encodeWas(each.Before), encodeWas(each.After)})
	}
	value, err := json.Marshal(record)
	if err != nil {
		panic(err) // strings, numbers and times of our years always marshal
	}
	put := clientv3.OpPut(fmt.Sprintf("%s%016x-%s", s.historyFolder(), record.Time.UnixMicro(), cairn.NewUID()), string(value))
	return &put
}

func encodeWas(w *shardmap.ShardWas) *shardWas {
	if w == nil {
		return nil
	}
	return &shardWas{w.Cluster, w.Start, w.End, w.Epoch, w.Pinned}
}

func (w *shardWas) decode(revision uint64) *shardmap.ShardWas {
	if w == nil {
		return nil
	}
	epoch := w.Epoch
	if epoch == 0 {
		epoch = revision
	}
	return &shardmap.ShardWas{Cluster: w.Cluster, Start: w.Start, End: w.End, Epoch: epoch, Pinned: w.Pinned}
}

// History calls back for the changes of the Map before a revision, or for all that
// are kept before 0, the last first, until that returns false. KindUnavailable if
// etcd does not answer; KindCorrupt for a record that can't be read.
func (s *Store) History(ctx context.Context, before uint64, each func(shardmap.Happened) bool) error {
	for {
		options := []clientv3.OpOption{
			clientv3.WithPrefix(), clientv3.WithLimit(historyPage), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend),
		}
		if before > 0 {
			options = append(options, clientv3.WithMaxModRev(int64(before)-1))
		}
		page, err := s.client.Get(ctx, s.historyFolder(), options...)
		if err != nil {
			return s.etcdError("read the history", err)
		}
		for _, kv := range page.Kvs {
			before = uint64(kv.ModRevision)
			h, err := decodeHappened(kv.Value, before)
			if err != nil {
				return err
			}
			if !each(h) {
				return nil
			}
		}
		if len(page.Kvs) < historyPage || before <= 1 {
			return nil
		}
	}
}

func decodeHappened(value []byte, revision uint64) (shardmap.Happened, error) {
	var record happenedRecord
	if err := json.Unmarshal(value, &record); err != nil {
		return shardmap.Happened{}, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of the change of revision %d is broken: %w", revision, err)
	}
	h := shardmap.Happened{Revision: revision, Time: record.Time.UTC(), Author: shardmap.Author{Who: record.Who, Why: record.Why}}
	for _, r := range record.Resources {
		h.Resources = append(h.Resources, shardmap.ResourceHappened(r))
	}
	for _, each := range record.Shards {
		h.Shards = append(h.Shards, shardmap.ShardHappened{
			Keyspace: each.Keyspace, KeyspaceName: each.KeyspaceName, ID: each.ID, Before: each.Before.decode(revision), After: each.After.decode(revision),
		})
	}
	return h, nil
}

// sweepHistory deletes the oldest changes beyond those that are kept. Keys are in
// order of time.
func (s *Store) sweepHistory(ctx context.Context) error {
	kept := int64(s.config.HistoryKept)
	folder := s.historyFolder()
	all, err := s.client.Get(ctx, folder, clientv3.WithPrefix(), clientv3.WithCountOnly())
	for err == nil && all.Count > kept {
		var page *clientv3.GetResponse
		page, err = s.client.Get(ctx, folder, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(min(sweepChunk, all.Count-kept)))
		if err != nil || len(page.Kvs) == 0 {
			break
		}
		if _, err = s.client.Delete(ctx, folder, clientv3.WithRange(string(page.Kvs[len(page.Kvs)-1].Key)+"\x00")); err == nil {
			all.Count -= int64(len(page.Kvs))
		}
	}
	if err != nil {
		return s.etcdError("sweep the history", err)
	}
	return nil
}
