package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"cairn"
)

// replicaTimeout bounds the question to one replica of an index.
const replicaTimeout = 2 * time.Second

// ReplicaInfo is a replica of a node index as it stands.
type ReplicaInfo struct {
	Address string
	// Declared tells whether the cluster names the address.
	Declared bool
	// Member is the replica's place in the index; nil if it has none.
	Member *cairn.Member
	// Identity is the replica's own word; nil where it does not answer, and Err
	// says why.
	Identity *cairn.Identity
	Err      error
}

// ListReplicas asks every replica of a cluster's node index: those declared, in
// that order, then those that the index has beside them. KindNotFound if there
// is no cluster of that name. An index that runs in this process is its only
// replica.
func (a *Admin) ListReplicas(ctx context.Context, name string) ([]ReplicaInfo, error) {
	_, c, err := a.cluster(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(c.IndexReplicas) == 0 {
		status, err := a.status(ctx, c, 0)
		if err != nil {
			return nil, askIndex(c, err)
		}
		identity := &cairn.Identity{
			ReplicaID: status.ReplicaID, AppliedIndex: status.AppliedIndex, MapRevision: status.MapRevision,
			Members: status.Members, WriteRefusal: status.WriteRefusal,
		}
		member := memberOf(status.Members, status.Replica, status.ReplicaID)
		return []ReplicaInfo{{Address: status.Replica, Member: member, Identity: identity}}, nil
	}
	var replicas []ReplicaInfo
	for _, address := range c.IndexReplicas {
		replicas = append(replicas, ReplicaInfo{Address: address, Declared: true})
	}
	a.askReplicas(ctx, replicas)
	members := newestMembers(replicas)
	declared := len(replicas)
	for _, m := range members {
		if !slices.Contains(c.IndexReplicas, m.Address) {
			replicas = append(replicas, ReplicaInfo{Address: m.Address})
		}
	}
	a.askReplicas(ctx, replicas[declared:])
	for i := range replicas {
		r := &replicas[i]
		id := ""
		if r.Identity != nil {
			id = r.Identity.ReplicaID
		}
		r.Member = memberOf(members, r.Address, id)
	}
	return replicas, nil
}

// askReplicas asks all at once.
func (a *Admin) askReplicas(ctx context.Context, replicas []ReplicaInfo) {
	ctx, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	var asking sync.WaitGroup
	for i := range replicas {
		r := &replicas[i]
		asking.Go(func() {
			identity, err := a.config.Identify(ctx, r.Address)
			if err != nil {
				r.Err = err
				return
			}
			r.Identity = &identity
		})
	}
	asking.Wait()
}

// newestMembers are the members by the word of the replica that leads, else of
// the one whose log is the longest.
func newestMembers(replicas []ReplicaInfo) (members []cairn.Member) {
	newest := uint64(0)
	for _, r := range replicas {
		if r.Identity == nil || len(r.Identity.Members) == 0 {
			continue
		}
		for _, m := range r.Identity.Members {
			if m.Leader && m.ID == r.Identity.ReplicaID {
				return r.Identity.Members
			}
		}
		if members == nil || r.Identity.AppliedIndex > newest {
			members, newest = r.Identity.Members, r.Identity.AppliedIndex
		}
	}
	return members
}

// memberOf finds a replica among the members: by its id where it said so, else
// by its address.
func memberOf(members []cairn.Member, address, id string) *cairn.Member {
	for i := range members {
		if id != "" && members[i].ID == id || id == "" && members[i].Address == address {
			return &members[i]
		}
	}
	return nil
}
