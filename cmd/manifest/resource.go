package manifest

import (
	"github.com/goccy/go-yaml/ast"

	"cairn"
	"cairn/shardmap/catalog"
)

// resource reads a document's body.
func (d *document) resource(body ast.Node) (catalog.Resource, error) {
	top, err := d.mapping(body, "")
	if err != nil {
		return catalog.Resource{}, err
	}
	if err := d.require(body, top, "kind", "name"); err != nil {
		return catalog.Resource{}, err
	}
	kind, err := d.text(top, "kind")
	if err != nil {
		return catalog.Resource{}, err
	}
	switch kind {
	case catalog.KindKeyspace:
		spec, err := d.keyspace(body)
		return catalog.Resource{Keyspace: spec}, err
	case catalog.KindCluster:
		spec, err := d.cluster(body)
		return catalog.Resource{Cluster: spec}, err
	case catalog.KindView:
		spec, err := d.view(body)
		return catalog.Resource{View: spec}, err
	}
	return catalog.Resource{}, d.refuse(top.get("kind"), "kind", "KIND_UNKNOWN",
		"%q is not a kind; the kinds are %s, %s and %s", kind, catalog.KindKeyspace, catalog.KindCluster, catalog.KindView)
}

func (d *document) keyspace(body ast.Node) (*catalog.KeyspaceSpec, error) {
	top, err := d.mapping(body, "", "kind", "name", "placement", "replicas", "mover", "attributes")
	if err != nil {
		return nil, err
	}
	if err := d.require(body, top, "placement"); err != nil {
		return nil, err
	}
	spec := &catalog.KeyspaceSpec{}
	if spec.Name, err = d.text(top, "name"); err != nil {
		return nil, err
	}
	if err := d.placement(top.get("placement"), spec); err != nil {
		return nil, err
	}
	replicas, err := d.number(top, "replicas", 1)
	if err != nil {
		return nil, err
	}
	if replicas != nil {
		spec.Replicas = *replicas
	}
	if spec.Mover, err = d.text(top, "mover"); err != nil {
		return nil, err
	}
	if node := top.get("attributes"); node != nil {
		spec.Attributes, err = d.attributes(node)
	}
	return spec, err
}

func (d *document) placement(node ast.Node, spec *catalog.KeyspaceSpec) error {
	const path = "placement"
	m, err := d.mapping(node, path, "scheme", "affinity", "initial_shards", "initial_splits")
	if err != nil {
		return err
	}
	if err := d.require(node, m, "scheme"); err != nil {
		return err
	}
	scheme, err := d.choice(m, "scheme", "hash", "range")
	if err != nil {
		return err
	}
	spec.Placement.Scheme = cairn.SchemeHash
	if scheme == "range" {
		spec.Placement.Scheme = cairn.SchemeRange
	}
	if spec.Placement.Affinity, err = d.text(m, "affinity"); err != nil {
		return err
	}
	shards, err := d.number(m, "initial_shards", 1)
	if err != nil {
		return err
	}
	if shards != nil {
		spec.InitialShards = *shards
	}
	splits, err := d.sequence(m.get("initial_splits"), path+".initial_splits")
	if err != nil {
		return err
	}
	for i, node := range splits {
		split, err := d.bytesValue(node, element(path+".initial_splits", i))
		if err != nil {
			return err
		}
		spec.InitialSplits = append(spec.InitialSplits, split)
	}
	return nil
}

func (d *document) attributes(node ast.Node) ([]catalog.AttributeSpec, error) {
	all, err := d.mapping(node, "attributes")
	if err != nil {
		return nil, err
	}
	specs := make([]catalog.AttributeSpec, 0, len(all.values))
	for _, pair := range all.values {
		name := pair.Key.(*ast.StringNode).Value
		m, err := d.mapping(pair.Value, join("attributes", name), "type", "index")
		if err != nil {
			return nil, err
		}
		if err := d.require(pair, m, "type"); err != nil {
			return nil, err
		}
		typeName, err := d.choice(m, "type", "string", "int", "float", "bool", "timestamp")
		if err != nil {
			return nil, err
		}
		spec := catalog.AttributeSpec{Name: name}
		if spec.Type, err = cairn.ParseType(typeName); err != nil {
			return nil, d.refuse(pair.Value, m.path, "TYPE_UNKNOWN", "%q is not a type", typeName)
		}
		index, err := d.choice(m, "index", "none", "bitmap")
		if err != nil {
			return nil, err
		}
		spec.Unindexed = index == "none"
		specs = append(specs, spec)
	}
	return specs, nil
}

func (d *document) cluster(body ast.Node) (*catalog.ClusterSpec, error) {
	top, err := d.mapping(body, "", "kind", "name", "zone", "weight", "index", "health", "nodes")
	if err != nil {
		return nil, err
	}
	if err := d.require(body, top, "nodes"); err != nil {
		return nil, err
	}
	spec := &catalog.ClusterSpec{}
	if spec.Name, err = d.text(top, "name"); err != nil {
		return nil, err
	}
	if spec.Zone, err = d.text(top, "zone"); err != nil {
		return nil, err
	}
	if spec.Weight, err = d.number(top, "weight", 0); err != nil {
		return nil, err
	}
	if node := top.get("index"); node != nil {
		if spec.IndexReplicas, err = d.index(node); err != nil {
			return nil, err
		}
	}
	if top.get("health") != nil {
		health, err := d.choice(top, "health", cairn.HealthTCP.String(), cairn.HealthGRPC.String())
		if err != nil {
			return nil, err
		}
		spec.Health, _ = cairn.ParseHealthCheck(health)
	}
	nodes, err := d.sequence(top.get("nodes"), "nodes")
	if err != nil {
		return nil, err
	}
	for i, node := range nodes {
		n, err := d.node(node, element("nodes", i))
		if err != nil {
			return nil, err
		}
		d.positions[join("nodes", n.Name)] = d.position(node)
		spec.Nodes = append(spec.Nodes, n)
	}
	return spec, nil
}

func (d *document) index(node ast.Node) ([]string, error) {
	m, err := d.mapping(node, "index", "replicas")
	if err != nil {
		return nil, err
	}
	if err := d.require(node, m, "replicas"); err != nil {
		return nil, err
	}
	values, err := d.sequence(m.get("replicas"), "index.replicas")
	if err != nil {
		return nil, err
	}
	var addresses []string
	for i, value := range values {
		address, err := d.stringValue(value, element("index.replicas", i))
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

func (d *document) node(node ast.Node, path string) (n catalog.NodeSpec, err error) {
	m, err := d.mapping(node, path, "name", "address", "zone", "weight", "state")
	if err != nil {
		return n, err
	}
	if err := d.require(node, m, "name", "address"); err != nil {
		return n, err
	}
	if n.Name, err = d.text(m, "name"); err != nil {
		return n, err
	}
	if n.Address, err = d.text(m, "address"); err != nil {
		return n, err
	}
	if n.Zone, err = d.text(m, "zone"); err != nil {
		return n, err
	}
	if n.Weight, err = d.number(m, "weight", 0); err != nil {
		return n, err
	}
	state, err := d.choice(m, "state", "active", "draining", "down")
	if err != nil || state == "" {
		return n, err
	}
	n.State, err = catalog.ParseNodeState(state)
	return n, err
}
