package nodeplan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Wish is what is to become of a cluster's nodes.
type Wish string

// The wishes.
const (
	// Drain has every entry of a node go to the others, and the node get none any more.
	Drain Wish = "drain"
	// Replace has another node take a node's place in every entry, and the node get none
	// any more.
	Replace Wish = "replace"
	// Rebalance has every node have its share of the entries by weight.
	Rebalance Wish = "rebalance"
)

// Plan is what is done, and what it was decided on.
type Plan struct {
	Wish    Wish      `json:"wish"`
	Cluster string    `json:"cluster"`
	UID     cairn.UID `json:"uid"`
	// Revision is that of the cluster's declaration.
	Revision uint64 `json:"revision"`
	// Node is the one that is left and gets no new entries from then on; empty for a
	// Rebalance.
	Node string `json:"node,omitempty"`
	// By is the one that takes its place in a Replace.
	By string `json:"by,omitempty"`
	// Rule is how each entry changes nodes; empty where none does.
	Rule shardmap.Relocation `json:"rule,omitempty"`
	// Seed is of the rules of steps by which not all leave.
	Seed  uint64 `json:"seed,omitempty"`
	Nodes []Node `json:"nodes"`
	Steps []Step `json:"steps"`
	// Held is what would change if something were not in its way.
	Held []Held `json:"held"`
}

// Node is a node with how many entries name it, and will.
type Node struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Weight uint32 `json:"weight"`
	Before uint64 `json:"before"`
	After  uint64 `json:"after"`
}

// Step is a shard in which entries change nodes.
type Step struct {
	Keyspace string        `json:"keyspace"`
	UID      cairn.UID     `json:"uid"`
	Shard    cairn.ShardID `json:"shard"`
	Epoch    uint64        `json:"epoch"`
	Entries  uint64        `json:"entries"`
	// Leaving is how many of them change nodes.
	Leaving uint64 `json:"leaving"`
	// Share is how many of those that are to do, in parts of cairn.WholeNode: no more can
	// at once.
	Share uint32 `json:"share"`
}

// RuleOf is how entries of a step's shard change nodes.
func (p *Plan) RuleOf(i int) *cairn.Relocation {
	rule := p.Rule.Rule()
	if share := p.Steps[i].Share; share < cairn.WholeNode {
		rule.Seed = p.Seed
		for at := range rule.Leaving {
			of := &rule.Leaving[at].Share
			*of = max(1, uint32(uint64(*of)*uint64(share)/cairn.WholeNode))
		}
	}
	return rule
}

// Partial tells whether entries are left for the next plans.
func (p *Plan) Partial() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Share < cairn.WholeNode })
}

// Held is a shard in which entries would change nodes.
type Held struct {
	Keyspace string        `json:"keyspace"`
	Shard    cairn.ShardID `json:"shard"`
	Leaving  uint64        `json:"leaving"`
	Why      Why           `json:"why"`
	// Move is the one that holds the shard, if that is why.
	Move cairn.UID `json:"move,omitempty"`
	// Note is why in words.
	Note string `json:"note"`
}

// Why is why nothing changes in a shard.
type Why string

// The reasons.
const (
	NoMover  Why = "no-mover"
	Moving   Why = "moving"
	Deleting Why = "deleting"
	NoNode   Why = "no-node"
)

// String describes what is held for a person.
func (h Held) String() string {
	return fmt.Sprintf("%s/%s: %d entries stay: %s", h.Keyspace, h.Shard, h.Leaving, h.Note)
}

// String is what the plan is for, in a few words.
func (p *Plan) String() string {
	switch p.Wish {
	case Drain:
		return "node " + p.Node + " is drained"
	case Replace:
		return "node " + p.Node + " is replaced by " + p.By
	}
	return "the nodes are evened out"
}

// Leaving is how many entries change nodes.
func (p *Plan) Leaving() (sum uint64) {
	for _, s := range p.Steps {
		sum += s.Leaving
	}
	return sum
}

// Check refuses (KindConflict, PLAN_STALE) a plan if what it touches has changed in a
// Map since it was made.
func (p *Plan) Check(m *shardmap.Map) error {
	cluster, found := m.Catalog().ClusterByUID(p.UID)
	if !found || cluster.Revision != p.Revision {
		return stale("", "cluster %s was declared anew, or deleted", p.Cluster)
	}
	for i := range p.Steps {
		if err := p.CheckStep(m, i); err != nil {
			return err
		}
	}
	return nil
}

// CheckStep is Check for what one step touches.
func (p *Plan) CheckStep(m *shardmap.Map, i int) error {
	s := &p.Steps[i]
	shard, found := m.Shard(s.UID, s.Shard)
	if !found || shard.Epoch != s.Epoch || shard.Cluster != p.UID {
		return stale(fmt.Sprintf("steps[%d]", i), "shard %s/%s has changed", s.Keyspace, s.Shard)
	}
	return nil
}

func stale(field, format string, args ...any) error {
	err := cairn.Errorf(cairn.KindConflict, "PLAN_STALE", "since the plan was made "+format+"; plan again", args...)
	err.Field = field
	return err
}

// Write writes a plan as a file: a JSON document with a line a step.
func Write(out io.Writer, p *Plan) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	return encoder.Encode(p)
}

// Read reads what Write writes. KindInvalid (field "plan", PLAN_MALFORMED) for anything
// else.
func Read(in io.Reader) (*Plan, error) {
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	p := new(Plan)
	if err := catalog.DecodeStrictly(data, p); err != nil {
		return nil, cairn.Invalid("plan", "PLAN_MALFORMED", "not a plan for nodes: %w", err)
	}
	if !p.Rule.Valid() || p.Rule == "" && len(p.Steps) > 0 {
		return nil, cairn.Invalid("plan", "PLAN_MALFORMED", "the plan's rule is none")
	}
	for i := range p.Steps {
		if share := p.Steps[i].Share; share == 0 || share > cairn.WholeNode {
			return nil, cairn.Invalid("plan", "PLAN_MALFORMED", "steps[%d]: share %d is none", i, share)
		}
	}
	return p, nil
}
