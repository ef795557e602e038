package shardmap

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cairn"
	"cairn/shardmap/catalog"
)

// Relocation is a cairn.Relocation as text, so that moves can be compared; empty for
// none.
type Relocation string

// relocation is how a Relocation is written.
type relocation struct {
	Leaving []leavingNode `json:"leaving"`
	Instead cairn.NodeID  `json:"instead,omitempty"`
	Targets []targetNode  `json:"targets"`
	Seed    uint64        `json:"seed,omitempty"`
}

type leavingNode struct {
	Node  cairn.NodeID `json:"node"`
	Share uint32       `json:"share"`
}

type targetNode struct {
	Node   cairn.NodeID `json:"node"`
	Weight uint32       `json:"weight"`
	Zone   string       `json:"zone,omitempty"`
}

// NewRelocation writes what Rule reads.
func NewRelocation(rule *cairn.Relocation) Relocation {
	stored := relocation{Instead: rule.Instead, Seed: rule.Seed}
	for _, n := range rule.Leaving {
		stored.Leaving = append(stored.Leaving, leavingNode(n))
	}
	for _, n := range rule.Targets {
		stored.Targets = append(stored.Targets, targetNode{n.ID, n.Weight, n.Zone})
	}
	text, err := json.Marshal(stored)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return Relocation(text)
}

// Rule is the relocation, nil for none or where r is not Valid.
func (r Relocation) Rule() *cairn.Relocation {
	var stored relocation
	if r == "" || catalog.DecodeStrictly([]byte(r), &stored) != nil {
		return nil
	}
	rule := &cairn.Relocation{Instead: stored.Instead, Seed: stored.Seed}
	for _, n := range stored.Leaving {
		rule.Leaving = append(rule.Leaving, cairn.LeavingNode(n))
	}
	for _, n := range stored.Targets {
		rule.Targets = append(rule.Targets, cairn.Node{ID: n.Node, Weight: n.Weight, Zone: n.Zone})
	}
	return rule
}

// Valid tells whether r is empty, or a rule by which entries leave nodes for others, as
// NewRelocation writes it.
func (r Relocation) Valid() bool {
	if r == "" {
		return true
	}
	rule := r.Rule()
	if rule == nil || NewRelocation(rule) != r || len(rule.Leaving) == 0 || len(rule.Targets) == 0 {
		return false
	}
	for i, n := range rule.Leaving {
		to := func(t cairn.Node) bool { return t.ID == n.Node }
		if n.Share == 0 || n.Share > cairn.WholeNode || i > 0 && n.Node <= rule.Leaving[i-1].Node || n.Node == rule.Instead || slices.ContainsFunc(rule.Targets, to) {
			return false
		}
	}
	return true
}

// Within tells whether the move changes the nodes of entries inside one cluster.
func (m Move) Within() bool { return m.Relocation != "" }

// RelocationRequest is a change of nodes that is asked for.
type RelocationRequest struct {
	Keyspace cairn.UID
	Shard    cairn.ShardID
	Rule     cairn.Relocation
	Who, Why string
	// MayHaveEntries and Entries are as in MoveRequest, of those that get another node.
	MayHaveEntries bool
	Entries        uint64
}

// StartRelocation decides a new move of a shard to the cluster that owns it, with which
// entries get other nodes: as StartMove does, and refused as that is, but that a pinned
// shard may have its nodes changed. KindInvalid (field "node"): a rule that is none
// (RELOCATION_MALFORMED), or a target that is not an active node of weight
// (NODE_NOT_ACTIVE).
func StartRelocation(m *Map, request RelocationRequest, now time.Time) (Change, Move, error) {
	k, shard, err := m.resolve(request.Keyspace, request.Shard)
	if err != nil {
		return Change{}, Move{}, err
	}
	cluster, found := m.catalog.ClusterByUID(shard.Cluster)
	rule := NewRelocation(&request.Rule)
	switch held := m.moves.holder(request.Keyspace, request.Shard); {
	case held != nil:
		return Change{}, Move{}, m.held(held)
	case !found:
		return Change{}, Move{}, cairn.Errorf(cairn.KindPrecondition, "CLUSTER_GONE", "there is no cluster %s any more", shard.Cluster)
	case k.Deleting:
		return Change{}, Move{}, cairn.Errorf(cairn.KindPrecondition, "KEYSPACE_DELETING", "keyspace %s is being deleted", k.Name)
	case !rule.Valid():
		return Change{}, Move{}, cairn.Invalid("node", "RELOCATION_MALFORMED", "no node is left, or none is to take its place, or one is both")
	}
	if why := closed(cluster, &request.Rule); why != "" {
		return Change{}, Move{}, cairn.Invalid("node", "NODE_NOT_ACTIVE", "%s", why)
	}
	if k.Mover == "" && request.MayHaveEntries && !SameServers(cluster, &request.Rule) {
		count := fmt.Sprintf("%d keys of shard %s would", request.Entries, shard.ID)
		if request.Entries == 0 {
			count = "keys of shard " + shard.ID.String() + " may"
		}
		return Change{}, Move{}, moverMissing(k, count)
	}
	now = now.UTC().Round(time.Microsecond)
	move := Move{
		UID: cairn.NewUID(), Keyspace: k.UID, Shard: shard.ID, Epoch: shard.Epoch, Start: string(shard.Start), End: string(shard.End),
		From: cluster.UID, To: cluster.UID, Phase: MovePreparing, Attempt: 1, Staging: cairn.NewUID(),
		Relocation: rule, Who: request.Who, Why: request.Why, Created: now, Stepped: now,
	}
	change := Change{
		Keyspaces: []KeyspaceChange{{Name: k.Name, Expected: k.ModRevision}},
		Clusters:  []ClusterChange{{Name: cluster.Name, Expected: cluster.Revision}},
		Shards:    []ShardChange{{Keyspace: k.UID, Generation: k.Generation, ID: shard.ID, Expected: shard.Revision, Put: &shard}},
		Moves:     append(m.moves.surplus(), MoveChange{UID: move.UID, Put: &move}),
	}
	return change, move, nil
}

// moverMissing is the refusal of a move with which keys, counted in words, get other
// nodes.
func moverMissing(k *catalog.Keyspace, count string) error {
	e := cairn.Errorf(cairn.KindPrecondition, "MOVER_MISSING",
		"%s get another node, and keyspace %s does not say who moves the data behind them; name a data mover, or declare 'mover: external' if you move it", count, k.Name)
	e.Field = "mover"
	return e
}

// closed names a node that entries would get by a rule and that takes none, with why;
// empty if there is no such node.
func closed(cluster *catalog.Cluster, rule *cairn.Relocation) string {
	for _, id := range targetsOf(rule) {
		if n, found := cluster.NodeByID(id); !found || n.State != cairn.NodeActive {
			return fmt.Sprintf("node %s of cluster %s is not active, and gets no entries", cmp.Or(n.Name, strconv.FormatUint(uint64(id), 10)), cluster.Name)
		}
	}
	return ""
}

// SameServers tells whether each node that is left has none but the same server, by its
// address, take its place.
func SameServers(cluster *catalog.Cluster, rule *cairn.Relocation) bool {
	address := func(id cairn.NodeID) string {
		n, _ := cluster.NodeByID(id)
		return n.Address
	}
	return !slices.ContainsFunc(rule.Leaving, func(n cairn.LeavingNode) bool {
		return slices.ContainsFunc(targetsOf(rule), func(t cairn.NodeID) bool { return address(t) != address(n.Node) })
	})
}

// targetsOf are all nodes that entries may get by a rule.
func targetsOf(rule *cairn.Relocation) (out []cairn.NodeID) {
	for _, t := range rule.Targets {
		out = append(out, t.ID)
	}
	if rule.Instead != 0 {
		out = append(out, rule.Instead)
	}
	return out
}

// Targetless is why a move can't go where it was to, as the Map is; empty if it can.
func (m *Map) Targetless(move Move) string {
	to, found := m.catalog.ClusterByUID(move.To)
	switch {
	case !found:
		return "there is no target any more"
	case !move.Within():
		return ""
	}
	return closed(to, move.Relocation.Rule())
}
