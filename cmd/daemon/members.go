package daemon

import (
	"context"
	"slices"
	"time"

	"cairn"
	"cairn/shardmap/catalog"
)

// Members come and go by what the cluster declares under index.replicas. Who
// leads brings the index there in steps, each of which leaves it whole: what is
// declared and not there comes as a learner, and gets a vote once it has caught
// up; what is there and not declared goes when all that are declared have one.

const (
	// membersInterval is how often the leader compares, membersPause how soon
	// again after a step.
	membersInterval = 3 * time.Second
	membersPause    = 200 * time.Millisecond
	// votingLag is how many log entries behind its leader a learner may be to
	// get a vote.
	votingLag = 1_000
)

// keepMembers compares, while the replica leads, until ctx ends.
func (h *host) keepMembers(ctx context.Context, store *mapStore) {
	changed, cancel := store.Subscribe()
	defer cancel()
	var said string
	for {
		pause := membersInterval
		leads, standing := h.replica.Standing()
		if cluster, applied := store.Map().Catalog().ClusterByUID(h.cluster.UID); leads && applied && len(cluster.IndexReplicas) > 0 {
			step, waits := h.nextStep(ctx, cluster)
			if waits != said && waits != "" {
				h.log.Info("a replica of the index is waited for", "why", waits)
			}
			said = waits
			if step.do != nil {
				pause = membersPause
				if err := step.do(ctx); err != nil && ctx.Err() == nil {
					h.log.Warn("the index's replicas can't be changed now; trying again", "step", step.what, "err", err)
					pause = membersInterval
				} else if err == nil {
					h.log.Info("the index's replicas change", "step", step.what)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		case <-changed:
		case <-standing:
		}
	}
}

// step is one change of the group.
type step struct {
	what string
	do   func(context.Context) error // nil: there is nothing to do
}

// nextStep is what brings the group nearer to what a cluster declares. waits
// says what keeps it from being there already, if a step does not.
func (h *host) nextStep(ctx context.Context, cluster *catalog.Cluster) (next step, waits string) {
	members := h.replica.Members()
	answers := h.network.probe(ctx, cluster.IndexReplicas)
	applied := h.replica.Identify().AppliedIndex
	whole := true // all that are declared have a vote
	var wanted []string
	for i, address := range cluster.IndexReplicas {
		there := slices.IndexFunc(members, func(m cairn.Member) bool { return m.Address == address })
		identity := answers[i]
		if identity == nil {
			whole = whole && there >= 0 && members[there].Voter
			if there < 0 {
				waits = "nothing answers at " + address
			} else {
				wanted = append(wanted, members[there].ID)
			}
			continue
		}
		if identity.Cluster != cluster.UID {
			return step{}, "the index at " + address + " is of another cluster"
		}
		id := identity.ReplicaID
		wanted = append(wanted, id)
		if there >= 0 && members[there].ID != id {
			gone := members[there].ID
			return step{"remove " + gone + ", whose place at " + address + " replica " + id + " has taken", func(ctx context.Context) error {
				return h.replica.RemoveMember(ctx, gone)
			}}, ""
		}
		known := slices.IndexFunc(members, func(m cairn.Member) bool { return m.ID == id })
		switch {
		case known < 0 && len(identity.Members) > 0 && !sharesMember(identity.Members, members):
			return step{}, "the replica at " + address + " is part of another group; start it with an empty directory and --join"
		case known < 0:
			return step{"add learner " + id + " at " + address, func(ctx context.Context) error {
				return h.replica.AddLearner(ctx, id, address)
			}}, ""
		case members[known].Address != address && members[known].Voter:
			return step{"move " + id + " to " + address, func(ctx context.Context) error {
				return h.replica.AddVoter(ctx, id, address)
			}}, ""
		case members[known].Address != address:
			return step{"move learner " + id + " to " + address, func(ctx context.Context) error {
				return h.replica.AddLearner(ctx, id, address)
			}}, ""
		case !members[known].Voter && identity.AppliedIndex+votingLag >= applied:
			return step{"give " + id + " at " + address + " a vote", func(ctx context.Context) error {
				return h.replica.AddVoter(ctx, id, address)
			}}, ""
		case !members[known].Voter:
			whole, waits = false, "the replica at "+address+" is catching up"
		}
	}
	if !whole {
		return step{}, waits
	}
	for _, m := range members {
		if slices.Contains(wanted, m.ID) {
			continue
		}
		if m.Leader {
			return step{"hand over, since " + m.Address + " is not among the declared", h.replica.HandOver}, ""
		}
		return step{"remove " + m.ID + " at " + m.Address + ", which is not declared", func(ctx context.Context) error {
			return h.replica.RemoveMember(ctx, m.ID)
		}}, ""
	}
	return step{}, ""
}

func sharesMember(a, b []cairn.Member) bool {
	return slices.ContainsFunc(a, func(m cairn.Member) bool {
		return slices.ContainsFunc(b, func(n cairn.Member) bool { return m.ID == n.ID })
	})
}
