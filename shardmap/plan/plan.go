package plan

import (
	"encoding/hex"
	"fmt"
	"time"

	"cairn"
)

// Plan is what one round does, and what it was decided on.
type Plan struct {
	// Revision is that of the Map.
	Revision uint64    `json:"revision"`
	Made     time.Time `json:"made"`
	// By is the name of the Measure that is evened out.
	By string `json:"by"`
	// Before and After are the figures of the Map as it is, and as it is when
	// all steps have been carried out.
	Before Figures `json:"before"`
	After  Figures `json:"after"`
	// Keyspaces and Clusters are all there are, ascending by name: what the
	// steps name, and the effect on each.
	Keyspaces []Keyspace `json:"keyspaces"`
	Clusters  []Cluster  `json:"clusters"`
	Steps     []Step     `json:"steps"`
	// Held is what would have been done if something had not been in its way.
	Held []Held `json:"held"`
}

// Figures is how even the clusters are.
type Figures struct {
	// Imbalance is the fullest cluster's cost relative to its fair share, Least
	// the emptiest one's. The shares are those of all that drained clusters
	// still have to give, too. Both are 1 if no cluster has a share.
	Imbalance float64 `json:"imbalance"`
	Least     float64 `json:"least"`
	Shards    int     `json:"shards"`
}

// Keyspace is a keyspace that a plan was decided on.
type Keyspace struct {
	Name string    `json:"name"`
	UID  cairn.UID `json:"uid"`
	// Revision is that of its declaration.
	Revision uint64 `json:"revision"`
	Shards   int    `json:"shards"`
	// Moved is the part of its entries that the plan moves.
	Moved float64 `json:"moved"`
}

// Cluster is a cluster that a plan was decided on.
type Cluster struct {
	Name     string    `json:"name"`
	UID      cairn.UID `json:"uid"`
	Revision uint64    `json:"revision"`
	// Capacity is what it can carry relative to others.
	Capacity float64 `json:"capacity"`
	Draining bool    `json:"draining,omitempty"`
	// Silent tells that nothing was known of it: the plan is made without it.
	Silent bool `json:"silent,omitempty"`
	// Before and After are its cost relative to its fair share; 0 for one that
	// has none, being drained or without capacity.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// StepKind is what a step does.
type StepKind string

// The kinds of steps.
const (
	Split StepKind = "split"
	Merge StepKind = "merge"
	Move  StepKind = "move"
)

// Step is one change to one shard, or two that become one. Steps don't depend
// on each other; their order is that of their worth.
type Step struct {
	Kind     StepKind      `json:"do"`
	Keyspace string        `json:"keyspace"`
	Shard    cairn.ShardID `json:"shard"`
	// Revision is that of the shard's record that the step was decided on.
	Revision uint64 `json:"revision"`
	// At is where a split's right half begins.
	At PlacementKey `json:"at,omitempty"`
	// With is the shard after it that a merge takes in, and WithRevision its
	// record's.
	With         cairn.ShardID `json:"with,omitempty"`
	WithRevision uint64        `json:"with_revision,omitempty"`
	// From and To are the clusters of a move, by name.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Entries is how many entries are concerned.
	Entries uint64 `json:"entries"`
	// Before and After are the imbalance as the step finds and leaves it.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	Reason string  `json:"reason"`
}

// KeysMoved is how many keys get another node with the plan: those of the shards that
// move.
func (p *Plan) KeysMoved() (keys uint64) {
	for _, s := range p.Steps {
		if s.Kind == Move {
			keys += s.Entries
		}
	}
	return keys
}

// String is the step in one line.
func (s Step) String() string {
	shard := s.Keyspace + "/" + s.Shard.String()
	what := ""
	switch s.Kind {
	case Split:
		what = fmt.Sprintf("split %s at %s", shard, s.At)
	case Merge:
		what = fmt.Sprintf("merge %s with %s", shard, s.With)
	case Move:
		what = fmt.Sprintf("move %s from %s to %s", shard, s.From, s.To)
	}
	return fmt.Sprintf("%s (%d entries, imbalance %.4f to %.4f): %s", what, s.Entries, s.Before, s.After, s.Reason)
}

// PlacementKey is a placement key as a plan shows it, in hexadecimal.
type PlacementKey []byte

func (k PlacementKey) String() string { return hex.EncodeToString(k) }

// MarshalText is the key in hexadecimal.
func (k PlacementKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes, and refuses
// (PLACEMENT_KEY_MALFORMED) anything else.
func (k *PlacementKey) UnmarshalText(text []byte) error {
	key, err := hex.DecodeString(string(text))
	if err != nil || len(key) == 0 || len(key) > cairn.MaxKeyLength {
		return cairn.Invalid("at", "PLACEMENT_KEY_MALFORMED", "%q is not a placement key in hexadecimal", text)
	}
	*k = key
	return nil
}

// Held is shards that stay where a plan would rather not have them.
type Held struct {
	Cluster string   `json:"cluster"`
	Why     Obstacle `json:"why"`
	Shards  int      `json:"shards"`
	// Entries is how many they hold.
	Entries uint64 `json:"entries"`
}

// String is what is held in one line.
func (h Held) String() string {
	return fmt.Sprintf("%s keeps %d shards of %d entries: %s", h.Cluster, h.Shards, h.Entries, obstacles[h.Why])
}

// Obstacle is why a shard stays.
type Obstacle string

// The obstacles.
const (
	Pinned      Obstacle = "pinned"
	Recent      Obstacle = "recent"
	Arriving    Obstacle = "arriving"
	Silent      Obstacle = "silent"
	Fixed       Obstacle = "fixed"
	OverBudget  Obstacle = "over-budget"
	TooLarge    Obstacle = "too-large"
	Indivisible Obstacle = "indivisible"
	NoCluster   Obstacle = "no-cluster"
)

var obstacles = map[Obstacle]string{
	Pinned:      "they are pinned",
	Recent:      "they were moved a short while ago",
	Arriving:    "a move of them is on its way",
	Silent:      "its index does not answer, so that the plan is made without it",
	Fixed:       "nobody would move their keyspace's data",
	OverBudget:  "the round's budget is spent",
	TooLarge:    "each is too large to move at once",
	Indivisible: "each is too large to move, and no key is known to split it at",
	NoCluster:   "no cluster that may take them has room",
}
