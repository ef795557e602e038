package etcdstore

import (
	"context"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
)

// Founding is which replica began the log of a cluster's node index.
type Founding struct {
	// Replica is the one that began it; empty if there is none yet.
	Replica string
	// Generation counts the logs that the index has had: 0 is that of its
	// founding, each restore begins the next.
	Generation uint64
	// Revision is that of the record; 0 if there is none.
	Revision uint64
}

// encode is the record: the replica and, for a restored one, the generation.
func (f Founding) encode() string {
	if f.Generation == 0 {
		return f.Replica
	}
	return f.Replica + " " + strconv.FormatUint(f.Generation, 10)
}

// foundingAmong is the founding whose record was read, the zero Founding if there is
// none.
func foundingAmong(cluster cairn.UID, kvs []*mvccpb.KeyValue) (Founding, error) {
	if len(kvs) == 0 {
		return Founding{}, nil
	}
	return decodeFounding(cluster, kvs[0].Value, uint64(kvs[0].ModRevision))
}

// decodeFounding reads what encode writes, from a record of a revision.
func decodeFounding(cluster cairn.UID, value []byte, revision uint64) (f Founding, err error) {
	replica, generation, restored := strings.Cut(string(value), " ")
	f = Founding{Replica: replica, Revision: revision}
	if restored {
		f.Generation, err = strconv.ParseUint(generation, 10, 64)
	}
	if err != nil || replica == "" {
		return f, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of who founded the index of cluster %s is broken", cluster)
	}
	return f, nil
}

func (s *Store) founderKey(cluster cairn.UID) string {
	return s.config.Prefix + foundersFolder + cluster.String()
}

// FoundIndex claims, for a replica, the founding of a cluster's node index, and
// returns who has it: the first that ever claimed, or whoever restored the index
// since. So an index is founded once, whatever directories are lost later.
// KindUnavailable if etcd does not answer; claiming again is harmless.
func (s *Store) FoundIndex(ctx context.Context, cluster cairn.UID, replica string) (Founding, error) {
	key := s.founderKey(cluster)
	response, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, Founding{Replica: replica}.encode())).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil {
		return Founding{}, s.etcdError("found the index", err)
	}
	if response.Succeeded {
		return Founding{Replica: replica, Revision: uint64(response.Header.Revision)}, nil
	}
	return foundingAmong(cluster, response.Responses[0].GetResponseRange().Kvs)
}

// FoundingOf tells who began a cluster's node index, as of now: the read is
// linearizable. KindUnavailable if etcd does not answer.
func (s *Store) FoundingOf(ctx context.Context, cluster cairn.UID) (Founding, error) {
	response, err := s.client.Get(ctx, s.founderKey(cluster))
	if err != nil {
		return Founding{}, s.etcdError("read who founded the index", err)
	}
	return foundingAmong(cluster, response.Kvs)
}

// FoundingSeen tells who began a cluster's node index, at no cost: by the records that
// have come with the Map or, where that is the journal's, as FoundingOf does. Whoever
// has a Map in hand sees all that was recorded before that Map's revision.
func (s *Store) FoundingSeen(ctx context.Context, cluster cairn.UID) (Founding, error) {
	s.mu.Lock()
	foundings := s.foundings
	s.mu.Unlock()
	if foundings == nil {
		return s.FoundingOf(ctx, cluster)
	}
	r, found := foundings[foundersFolder+cluster.String()]
	if !found {
		return Founding{}, nil
	}
	return decodeFounding(cluster, r.value, r.modRevision)
}

// RestoreIndex claims, for a replica with a restored directory, the place of the
// index that there is, as a generation of its own, if what stands is before.
// KindConflict (INDEX_RESTORED): another came first. KindUnavailable if etcd does
// not answer; then it may have been claimed, which FoundingOf tells.
func (s *Store) RestoreIndex(ctx context.Context, cluster cairn.UID, before Founding, replica string, generation uint64) (Founding, error) {
	key := s.founderKey(cluster)
	claimed := Founding{Replica: replica, Generation: generation}
	response, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(key), "=", int64(before.Revision))).
		Then(clientv3.OpPut(key, claimed.encode())).
		Commit()
	if err != nil {
		return Founding{}, s.etcdError("claim the index's place", err)
	}
	if !response.Succeeded {
		return Founding{}, cairn.Errorf(cairn.KindConflict, "INDEX_RESTORED", "another restored directory has taken the place of the index of cluster %s meanwhile; look again", cluster)
	}
	claimed.Revision = uint64(response.Header.Revision)
	return claimed, nil
}

// sweepFounders deletes the records of clusters that are no more. Uids are not
// used again, so none of them can be claimed by another.
func (s *Store) sweepFounders(ctx context.Context) error {
	response, err := s.client.Get(ctx, s.config.Prefix+foundersFolder, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return s.etcdError("sweep", err)
	}
	if len(response.Kvs) == 0 {
		return nil
	}
	// A cluster is applied before its index is founded: a map of now has every
	// cluster of those records that is to stay.
	if _, err := s.Refresh(ctx); err != nil {
		return err
	}
	for _, kv := range response.Kvs {
		var uid cairn.UID
		name := string(kv.Key[len(s.config.Prefix)+len(foundersFolder):])
		if err := uid.UnmarshalText([]byte(name)); err != nil {
			continue
		}
		if _, applied := s.Map().Catalog().ClusterByUID(uid); applied {
			continue
		}
		if _, err := s.client.Delete(ctx, string(kv.Key)); err != nil {
			return s.etcdError("sweep", err)
		}
	}
	return nil
}
