package etcdstore

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
)

// FoundIndex claims, for a replica, the founding of a cluster's node index, and
// returns the replica that has it: the first that ever claimed. So an index is
// founded once, whatever directories are lost later. KindUnavailable if etcd
// does not answer; claiming again is harmless.
func (s *Store) FoundIndex(ctx context.Context, cluster cairn.UID, replica string) (founder string, err error) {
	key := s.config.Prefix + foundersFolder + cluster.String()
	response, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, replica)).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil {
		return "", s.etcdError("found the index", err)
	}
	if response.Succeeded {
		return replica, nil
	}
	kvs := response.Responses[0].GetResponseRange().Kvs
	if len(kvs) != 1 || len(kvs[0].Value) == 0 {
		return "", cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of who founded the index of cluster %s is broken", cluster)
	}
	return string(kvs[0].Value), nil
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
