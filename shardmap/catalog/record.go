package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"cairn"
)

// keyspaceRecord is a Keyspace as it is stored: JSON, for operators to read.
type keyspaceRecord struct {
	UID           cairn.UID         `json:"uid"`
	Name          string            `json:"name"`
	Placement     placementRecord   `json:"placement"`
	Replicas      int               `json:"replicas"`
	Attributes    []attributeRecord `json:"attributes,omitempty"`
	Generation    uint64            `json:"generation"`
	NextShard     cairn.ShardID     `json:"next_shard"`
	NextAttribute cairn.AttributeID `json:"next_attribute"`
	Deleting      bool              `json:"deleting,omitempty"`
	Mover         string            `json:"mover,omitempty"`
	// Revision is there where the last transaction changed bookkeeping only;
	// otherwise the declaration is as new as the record.
	Revision uint64 `json:"revision,omitempty"`
}

type placementRecord struct {
	Scheme   string `json:"scheme"`
	Affinity string `json:"affinity,omitempty"`
}

type attributeRecord struct {
	ID        cairn.AttributeID `json:"id"`
	Name      string            `json:"name"`
	Type      string            `json:"type"`
	Unindexed bool              `json:"unindexed,omitempty"`
}

// clusterRecord is a Cluster as it is stored.
type clusterRecord struct {
	UID           cairn.UID    `json:"uid"`
	Name          string       `json:"name"`
	Zone          string       `json:"zone,omitempty"`
	Weight        uint32       `json:"weight"`
	IndexReplicas []string     `json:"index_replicas,omitempty"`
	Health        string       `json:"health,omitempty"`
	Nodes         []nodeRecord `json:"nodes"`
	NextNode      cairn.NodeID `json:"next_node"`
}

type nodeRecord struct {
	ID      cairn.NodeID `json:"id"`
	Name    string       `json:"name"`
	Address string       `json:"address"`
	Zone    string       `json:"zone,omitempty"`
	Weight  uint32       `json:"weight"`
	State   string       `json:"state"`
}

// EncodeKeyspace writes a keyspace's record. A Revision of 0 means that of the
// transaction that stores it.
func EncodeKeyspace(k *Keyspace) []byte {
	record := keyspaceRecord{
		UID:           k.UID,
		Name:          k.Name,
		Placement:     placementRecord{k.Placement.Scheme.String(), k.Placement.Affinity},
		Replicas:      k.Replicas,
		Generation:    k.Generation,
		NextShard:     k.NextShard,
		NextAttribute: k.NextAttribute,
		Deleting:      k.Deleting,
		Mover:         k.Mover,
		Revision:      k.Revision,
	}
	for _, a := range k.Schema.Attributes() {
		record.Attributes = append(record.Attributes, attributeRecord{a.ID, a.Name, a.Type.String(), a.Unindexed})
	}
	return encode(record)
}

// DecodeKeyspace reads a keyspace's record that was stored at modRevision.
// Anything that EncodeKeyspace does not write is refused as KindCorrupt.
func DecodeKeyspace(data []byte, modRevision uint64) (*Keyspace, error) {
	var record keyspaceRecord
	if err := DecodeStrictly(data, &record); err != nil {
		return nil, corrupt("keyspace", err)
	}
	k := &Keyspace{
		Keyspace: cairn.Keyspace{
			UID:       record.UID,
			Name:      record.Name,
			Placement: cairn.Placement{Affinity: record.Placement.Affinity},
			Replicas:  record.Replicas,
			Deleting:  record.Deleting,
		},
		Revision:      cmp.Or(record.Revision, modRevision),
		ModRevision:   modRevision,
		Generation:    record.Generation,
		NextShard:     record.NextShard,
		NextAttribute: record.NextAttribute,
		Mover:         record.Mover,
	}
	switch record.Placement.Scheme {
	case cairn.SchemeHash.String():
		k.Placement.Scheme = cairn.SchemeHash
	case cairn.SchemeRange.String():
		k.Placement.Scheme = cairn.SchemeRange
	default:
		return nil, corrupt("keyspace", fmt.Errorf("placement scheme %q", record.Placement.Scheme))
	}
	if k.UID == 0 || ValidateName(k.Name) != nil || k.Replicas < 1 || k.Replicas > cairn.MaxReplicas || k.Revision > modRevision || validateMover(k.Mover) != nil {
		return nil, corrupt("keyspace", errors.New("a field out of its range"))
	}
	specs := make([]cairn.AttributeSpec, len(record.Attributes))
	for i, a := range record.Attributes {
		t, err := cairn.ParseType(a.Type)
		if err != nil {
			return nil, corrupt("keyspace", err)
		}
		if a.ID >= record.NextAttribute {
			return nil, corrupt("keyspace", fmt.Errorf("attribute id %d is not given out yet", a.ID))
		}
		specs[i] = cairn.AttributeSpec{ID: a.ID, Name: a.Name, Type: t, Unindexed: a.Unindexed}
	}
	var err error
	if k.Schema, err = cairn.NewSchema(specs); err != nil {
		return nil, corrupt("keyspace", err)
	}
	return k, nil
}

// EncodeCluster writes a cluster's record.
func EncodeCluster(c *Cluster) []byte {
	record := clusterRecord{
		UID:           c.UID,
		Name:          c.Name,
		Zone:          c.Zone,
		Weight:        c.Weight,
		IndexReplicas: c.IndexReplicas,
		Health:        c.Health.String(),
		Nodes:         make([]nodeRecord, len(c.Nodes)),
		NextNode:      c.NextNode,
	}
	for i, n := range c.Nodes {
		record.Nodes[i] = nodeRecord{n.ID, n.Name, n.Address, n.Zone, n.Weight, n.State.String()}
	}
	return encode(record)
}

// DecodeCluster reads a cluster's record that was stored at modRevision.
// Anything that EncodeCluster does not write is refused as KindCorrupt.
func DecodeCluster(data []byte, modRevision uint64) (*Cluster, error) {
	var record clusterRecord
	if err := DecodeStrictly(data, &record); err != nil {
		return nil, corrupt("cluster", err)
	}
	if record.UID == 0 || ValidateName(record.Name) != nil || len(record.Nodes) == 0 {
		return nil, corrupt("cluster", errors.New("a field out of its range"))
	}
	health, known := cairn.ParseHealthCheck(record.Health)
	if !known {
		return nil, corrupt("cluster", fmt.Errorf("health check %q", record.Health))
	}
	c := &Cluster{
		UID:           record.UID,
		Name:          record.Name,
		Zone:          record.Zone,
		Weight:        record.Weight,
		IndexReplicas: record.IndexReplicas,
		Health:        health,
		Nodes:         make([]cairn.Node, len(record.Nodes)),
		NextNode:      record.NextNode,
		Revision:      modRevision,
	}
	for i, n := range record.Nodes {
		state, err := ParseNodeState(n.State)
		if err != nil {
			return nil, corrupt("cluster", err)
		}
		c.Nodes[i] = cairn.Node{ID: n.ID, Name: n.Name, Address: n.Address, Zone: n.Zone, Weight: n.Weight, State: state}
	}
	slices.SortFunc(c.Nodes, func(a, b cairn.Node) int { return cmp.Compare(a.ID, b.ID) })
	for i, n := range c.Nodes {
		if n.ID == 0 || n.ID >= c.NextNode || i > 0 && c.Nodes[i-1].ID == n.ID {
			return nil, corrupt("cluster", fmt.Errorf("node id %d", n.ID))
		}
	}
	return c, nil
}

// ParseNodeState reads a node's state as manifests spell it.
func ParseNodeState(name string) (cairn.NodeState, error) {
	for _, state := range []cairn.NodeState{cairn.NodeActive, cairn.NodeDraining, cairn.NodeDown} {
		if state.String() == name {
			return state, nil
		}
	}
	return 0, cairn.Invalid("state", "STATE_UNKNOWN", "%q is not a state; the states are active, draining and down", name)
}

// encode leaves < > & as they are: operators read the filters of views.
func encode(record any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(record); err != nil {
		panic(err) // records are made of strings and numbers
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// DecodeStrictly reads the JSON of a record of the map's store, whatever it is of.
// A field that this version does not know is refused: it may say something that
// must not be ignored, and who rewrites the record would lose it. So a version
// that adds a field leaves it out wherever it says nothing new.
func DecodeStrictly(data []byte, record any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(record); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the record")
	}
	return nil
}

func corrupt(what string, err error) error {
	return cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "a %s record that this version can't read: %w", what, err)
}
