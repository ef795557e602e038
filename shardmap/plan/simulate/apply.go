package simulate

import (
	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/plan"
)

// Apply is the Map that a plan leads to, once all its steps have been carried
// out, each by a transaction of its own but the moves, which are one. It
// refuses what plan.Check refuses.
func Apply(m *shardmap.Map, p *plan.Plan) (*shardmap.Map, error) {
	if err := p.Check(m); err != nil {
		return nil, err
	}
	keyspaces, clusters := map[string]cairn.UID{}, map[string]cairn.UID{}
	for _, k := range p.Keyspaces {
		keyspaces[k.Name] = k.UID
	}
	for _, c := range p.Clusters {
		clusters[c.Name] = c.UID
	}
	var moves shardmap.Update
	for _, step := range p.Steps {
		var change shardmap.Change
		var err error
		switch keyspace := keyspaces[step.Keyspace]; step.Kind {
		case plan.Split:
			change, err = shardmap.Split(m, keyspace, step.Shard, step.At)
		case plan.Merge:
			change, err = shardmap.Merge(m, keyspace, step.Shard)
		case plan.Move:
			shard, _ := m.Shard(keyspace, step.Shard) // Check has seen it
			shard.Cluster = clusters[step.To]
			moves.Set = append(moves.Set, shard)
			continue
		}
		if err != nil {
			return nil, err
		}
		update, err := change.Update(m.Revision()+1, m.Catalog())
		if err != nil {
			return nil, err
		}
		if m, err = m.Apply(update); err != nil {
			return nil, err
		}
	}
	moves.Revision = m.Revision() + 1
	for i := range moves.Set {
		moves.Set[i].Epoch, moves.Set[i].Revision = moves.Revision, moves.Revision
	}
	return m.Apply(moves)
}
