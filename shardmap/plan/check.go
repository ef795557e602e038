package plan

import (
	"cmp"

	"cairn"
	"cairn/shardmap"
)

// Check refuses the plan if anything that its steps touch has changed since it
// was decided: a shard's record, the declaration of its keyspace, or a cluster
// that a move leads from or to. It is for a Map at or after the plan's.
//
// Refused: a Map that is older than the plan's (KindStale, MAP_REVISION), what
// has changed or is not there any more (KindConflict, PLAN_STALE, naming the
// step as the field "steps[3]"), and a step that names what the plan does not
// list (KindInvalid, PLAN_MALFORMED).
func (p *Plan) Check(m *shardmap.Map) error {
	on, err := p.decidedOn(m)
	if err != nil {
		return err
	}
	for i := range p.Steps {
		if err := on.check(&p.Steps[i]); err != nil {
			return cairn.InField(stepField(i), err)
		}
	}
	return nil
}

// CheckStep is Check of one step, for a Map that has those before it. It does not
// name the step.
func (p *Plan) CheckStep(m *shardmap.Map, i int) error {
	on, err := p.decidedOn(m)
	if err != nil {
		return err
	}
	return on.check(&p.Steps[i])
}

func (p *Plan) decidedOn(m *shardmap.Map) (decidedOn, error) {
	if m.Revision() < p.Revision {
		return decidedOn{}, cairn.Errorf(cairn.KindStale, "MAP_REVISION", "a map of revision %d; the plan is of revision %d", m.Revision(), p.Revision)
	}
	on := decidedOn{m, make(map[string]Keyspace, len(p.Keyspaces)), make(map[string]Cluster, len(p.Clusters))}
	for _, k := range p.Keyspaces {
		on.keyspaces[k.Name] = k
	}
	for _, c := range p.Clusters {
		on.clusters[c.Name] = c
	}
	return on, nil
}

// decidedOn is what the steps of a plan name, and the Map it is compared with.
type decidedOn struct {
	now       *shardmap.Map
	keyspaces map[string]Keyspace
	clusters  map[string]Cluster
}

func (on decidedOn) check(s *Step) error {
	keyspace, listed := on.keyspaces[s.Keyspace]
	if !listed {
		return malformed("keyspace", "keyspace %s is not among the plan's", s.Keyspace)
	}
	if now, found := on.now.Catalog().KeyspaceByUID(keyspace.UID); !found || now.Revision != keyspace.Revision {
		return stale("keyspace %s was declared anew or deleted", keyspace.Name)
	}
	if err := on.shard(keyspace, s.Shard, s.Revision); err != nil {
		return err
	}
	switch s.Kind {
	case Merge:
		return on.shard(keyspace, s.With, s.WithRevision)
	case Move:
		return cmp.Or(on.cluster("from", s.From), on.cluster("to", s.To))
	}
	return nil
}

func (on decidedOn) shard(keyspace Keyspace, id cairn.ShardID, revision uint64) error {
	shard, found := on.now.Shard(keyspace.UID, id)
	switch {
	case !found:
		return stale("shard %s/%s was merged into another", keyspace.Name, id)
	case shard.Revision != revision:
		return stale("shard %s/%s has changed: its record is of revision %d, the plan's of %d", keyspace.Name, id, shard.Revision, revision)
	}
	return nil
}

// cluster compares a cluster. One that the catalog did not have is still not to
// be there.
func (on decidedOn) cluster(field, name string) error {
	cluster, listed := on.clusters[name]
	if !listed {
		return malformed(field, "cluster %s is not among the plan's", name)
	}
	var revision uint64
	if now, found := on.now.Catalog().ClusterByUID(cluster.UID); found {
		revision = now.Revision
	}
	if revision != cluster.Revision {
		return stale("cluster %s was declared anew or deleted", name)
	}
	return nil
}

func stale(format string, args ...any) error {
	return cairn.Errorf(cairn.KindConflict, "PLAN_STALE", format+" since the plan was made; plan anew", args...)
}

func malformed(field, format string, args ...any) error {
	return cairn.Invalid(field, "PLAN_MALFORMED", format, args...)
}
