package router

import (
	"cairn"
	"cairn/shardmap/catalog"
)

// labelled is the page's rows with names where the indexes have ids. Where they
// have noted a map that declares more than the one decided by, it is used.
func (p *paging) labelled() ([]cairn.NamedRow, error) {
	if len(p.rows) == 0 {
		return nil, nil
	}
	rows := p.label(p.directory, p.declared)
	newest := uint64(0)
	for _, part := range p.parts {
		newest = max(newest, part.revision)
	}
	for _, row := range p.rows {
		newest = max(newest, row.part.revision)
	}
	if newest > p.directory.m.Revision() && !p.knows(rows) {
		m, err := p.router.mapAt(p.ctx, newest)
		if err != nil {
			return nil, asError(err)
		}
		keyspace, found := m.Catalog().KeyspaceByUID(p.keyspace)
		if !found {
			return nil, keyspaceNotFound(p.name)
		}
		rows = p.label(p.router.connections.directory(m), keyspace)
	}
	for i := range rows {
		if rows[i].Primary == nil {
			return nil, nodeUnknown(p.rows[i].part.cluster, rows[i].Key, p.rows[i].Nodes)
		}
	}
	return rows, nil
}

// knows tells whether the map decided by, which the rows are labelled by, has all their
// nodes and attributes.
func (p *paging) knows(rows []cairn.NamedRow) bool {
	for i := range rows {
		if rows[i].Primary == nil {
			return false
		}
		for each := range p.rows[i].Attributes.All() {
			if _, found := p.declared.Schema.ByID(each.ID); !found {
				return false
			}
		}
	}
	return true
}

// label names the rows by one map. A row that has nodes which that lacks is without any.
func (p *paging) label(d *directory, keyspace *catalog.Keyspace) []cairn.NamedRow {
	for _, row := range p.rows {
		row.part.cluster = nil
	}
	names := naming{keyspace: keyspace, down: p.router.config.Down}
	rows, keys := make([]cairn.NamedRow, len(p.rows)), p.keys()
	for i, row := range p.rows {
		if row.part.cluster == nil {
			row.part.cluster = p.clusterBy(d, row.part)
		}
		names.cluster = row.part.cluster
		primary, replicas, _ := names.answering(row.Nodes)
		key := keys[:len(row.Key):len(row.Key)]
		keys = keys[len(row.Key):]
		rows[i] = cairn.NamedRow{Key: key, Cluster: names.cluster.Name, Primary: primary, Replicas: replicas, Attributes: cairn.NewRowValues(keyspace.Schema, row.Attributes)}
	}
	return rows
}

// keys are those of all rows, one after the other: the rows themselves may be
// others' too.
func (p *paging) keys() cairn.Key {
	size := 0
	for _, row := range p.rows {
		size += len(row.Key)
	}
	out := make(cairn.Key, 0, size)
	for _, row := range p.rows {
		out = append(out, row.Key...)
	}
	return out
}

// clusterBy is a part's cluster as a map has it; as the map decided by has it
// if that one lacks it.
func (p *paging) clusterBy(d *directory, part *viewPart) *catalog.Cluster {
	if at, found := d.find(part.owner.Cluster); found {
		return d.members[at].cluster
	}
	return p.cluster(&part.part)
}
