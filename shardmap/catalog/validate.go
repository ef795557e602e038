package catalog

import (
	"bytes"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cairn"
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Longest an affinity delimiter and the free texts of a declaration may be.
const (
	maxAffinity = 64
	maxText     = 255
)

// ValidateName refuses what is not a name of a keyspace, cluster, view or node:
// lower-case letters, digits and hyphens, 1 to 63, as in a DNS label.
func ValidateName(name string) error {
	if !nameForm.MatchString(name) {
		return cairn.Invalid("name", "NAME_MALFORMED",
			"%q is not a name; use lower-case letters, digits and hyphens, 1 to 63, no hyphen first or last", name)
	}
	return nil
}

// Validate refuses a declaration that is wrong by itself, whatever stands.
func (r Resource) Validate() error {
	switch {
	case r.Keyspace != nil && r.Cluster == nil && r.View == nil:
		return cairn.InField(r.Name(), r.Keyspace.validate())
	case r.Cluster != nil && r.Keyspace == nil && r.View == nil:
		return cairn.InField(r.Name(), r.Cluster.validate())
	case r.View != nil && r.Keyspace == nil && r.Cluster == nil:
		return cairn.InField(r.Name(), r.View.validate())
	}
	return cairn.Invalid("resources", "RESOURCE_EMPTY", "a resource is one keyspace, one cluster or one view")
}

func (s *KeyspaceSpec) validate() error {
	if err := ValidateName(s.Name); err != nil {
		return err
	}
	if s.Replicas > cairn.MaxReplicas {
		return cairn.Invalid("replicas", "REPLICAS_OUT_OF_RANGE", "%d replicas; an entry has 1 to %d", s.Replicas, cairn.MaxReplicas)
	}
	if err := s.validatePlacement(); err != nil {
		return cairn.InField("placement", err)
	}
	if err := validateMover(s.Mover); err != nil {
		return err
	}
	// Ids matter to NewSchema only in being distinct.
	specs := make([]cairn.AttributeSpec, len(s.Attributes))
	for i, a := range s.Attributes {
		specs[i] = cairn.AttributeSpec{ID: cairn.AttributeID(i + 1), Name: a.Name, Type: a.Type, Unindexed: a.Unindexed}
	}
	_, err := cairn.NewSchema(specs)
	return err
}

func validateMover(mover string) error {
	if mover != "" && mover != MoverExternal && !isHostPort(mover) {
		return cairn.Invalid("mover", "MOVER_UNKNOWN", "%q moves no data; give the host:port of a data mover, say %s if you move the data yourself when a shard moves, or leave mover out", mover, MoverExternal)
	}
	return nil
}

func (s *KeyspaceSpec) validatePlacement() error {
	switch s.Placement.Scheme {
	case cairn.SchemeHash:
		if s.InitialShards > MaxInitialShards {
			return cairn.Invalid("initial_shards", "INITIAL_SHARDS_OUT_OF_RANGE", "%d shards; a keyspace begins with 1 to %d", s.InitialShards, MaxInitialShards)
		}
		if len(s.InitialSplits) > 0 {
			return cairn.Invalid("initial_splits", "INITIAL_SPLITS_WITH_HASH", "initial_splits is for the scheme range; with hash, give initial_shards")
		}
		if len(s.Placement.Affinity) > maxAffinity {
			return cairn.Invalid("affinity", "AFFINITY_TOO_LONG", "a delimiter of %d bytes; it has at most %d", len(s.Placement.Affinity), maxAffinity)
		}
	case cairn.SchemeRange:
		if s.InitialShards > 0 {
			return cairn.Invalid("initial_shards", "INITIAL_SHARDS_WITH_RANGE", "initial_shards is for the scheme hash; with range, give initial_splits")
		}
		if s.Placement.Affinity != "" {
			return cairn.Invalid("affinity", "AFFINITY_WITH_RANGE", "affinity is for the scheme hash; with range, keys are placed by themselves")
		}
		return validateSplits(s.InitialSplits)
	default:
		return cairn.Invalid("scheme", "SCHEME_UNKNOWN", "the placement schemes are hash and range")
	}
	return nil
}

func validateSplits(splits [][]byte) error {
	if len(splits) >= MaxInitialShards {
		return cairn.Invalid("initial_splits", "INITIAL_SHARDS_OUT_OF_RANGE", "%d splits; a keyspace begins with 1 to %d shards", len(splits), MaxInitialShards)
	}
	for i, at := range splits {
		field := "initial_splits[" + strconv.Itoa(i) + "]"
		if err := cairn.Key(at).Validate(); err != nil {
			return cairn.Invalid(field, cairn.ReasonOf(err), "a shard divides at a key, of 1 to %d bytes; this has %d", cairn.MaxKeyLength, len(at))
		}
		if i == 0 {
			continue
		}
		switch order := bytes.Compare(splits[i-1], at); {
		case order == 0:
			return cairn.Invalid(field, "INITIAL_SPLITS_OVERLAP", "%s stands twice; the shard between would be empty", cairn.Key(at))
		case order > 0:
			return cairn.Invalid(field, "INITIAL_SPLITS_UNSORTED", "%s comes after %s; give splits in ascending order of bytes, or shards would overlap", cairn.Key(at), cairn.Key(splits[i-1]))
		}
	}
	return nil
}

func (s *ClusterSpec) validate() error {
	if err := ValidateName(s.Name); err != nil {
		return err
	}
	if err := validateText("zone", s.Zone); err != nil {
		return err
	}
	if len(s.IndexReplicas) > MaxIndexReplicas {
		return cairn.Invalid("index.replicas", "INDEX_REPLICAS_TOO_MANY",
			"%d addresses; a node index has at most %d replicas, and one, three or five are usual", len(s.IndexReplicas), MaxIndexReplicas)
	}
	for i, address := range s.IndexReplicas {
		if slices.Contains(s.IndexReplicas[:i], address) {
			return cairn.Invalid("index.replicas["+strconv.Itoa(i)+"]", "ADDRESS_TWICE", "%q is there twice", address)
		}
		if !isHostPort(address) {
			return cairn.Invalid("index.replicas["+strconv.Itoa(i)+"]", "ADDRESS_MALFORMED", "%q is not host:port, as in 127.0.0.1:7711", address)
		}
	}
	if s.Health > cairn.HealthGRPC {
		return cairn.Invalid("health", "HEALTH_UNKNOWN", "nodes are checked by tcp or grpc")
	}
	if len(s.Nodes) == 0 {
		return cairn.Invalid("nodes", "NODES_MISSING", "a cluster needs at least one node")
	}
	names, addresses := map[string]bool{}, map[string]string{}
	for i, n := range s.Nodes {
		if err := n.validate(); err != nil {
			return cairn.InField("nodes["+strconv.Itoa(i)+"]", err)
		}
		field := "nodes[" + strconv.Itoa(i) + "]"
		if s.Health != cairn.HealthNone && !isHostPort(n.Address) {
			return cairn.Invalid(field+".address", "ADDRESS_MALFORMED", "%q is not host:port, as in 127.0.0.1:5432, which a node needs that is checked", n.Address)
		}
		if names[n.Name] {
			return cairn.Invalid(field+".name", "NODE_TWICE", "two nodes are named %s", n.Name)
		}
		if other, taken := addresses[n.Address]; taken {
			return cairn.Invalid(field+".address", "NODE_ADDRESS_TWICE", "%s is the address of node %s too", n.Address, other)
		}
		names[n.Name], addresses[n.Address] = true, n.Name
	}
	return nil
}

func (n NodeSpec) validate() error {
	if err := ValidateName(n.Name); err != nil {
		return err
	}
	if n.Address == "" {
		return cairn.Invalid("address", "ADDRESS_MISSING", "node %s has no address", n.Name)
	}
	if err := validateText("address", n.Address); err != nil {
		return err
	}
	if err := validateText("zone", n.Zone); err != nil {
		return err
	}
	if n.State > cairn.NodeDown {
		return cairn.Invalid("state", "STATE_UNKNOWN", "the states are active, draining and down")
	}
	return nil
}

func (s *ViewSpec) validate() error {
	if err := ValidateName(s.Name); err != nil {
		return err
	}
	if s.Keyspace == "" {
		return cairn.Invalid("keyspace", "KEYSPACE_MISSING", "a view is of a keyspace; name it")
	}
	if err := ValidateName(s.Keyspace); err != nil {
		return cairn.Invalid("keyspace", cairn.ReasonOf(err), "%q is not the name of a keyspace", s.Keyspace)
	}
	if len(s.Filter) > MaxFilterBytes {
		return cairn.Invalid("filter", "FILTER_TOO_LONG", "1:1: the expression has %d bytes; it may have %d", len(s.Filter), MaxFilterBytes)
	}
	if !utf8.ValidString(s.Filter) {
		return cairn.Invalid("filter", "FILTER_SYNTAX", "1:1: the expression is not UTF-8")
	}
	if len(s.Sort) > cairn.MaxSortFields {
		return cairn.Invalid("sort", "SORT_TOO_LONG", "%d attributes; a view is sorted by at most %d", len(s.Sort), cairn.MaxSortFields)
	}
	names := make([]string, len(s.Sort))
	for i, field := range s.Sort {
		names[i] = strings.TrimPrefix(field, "-")
	}
	if err := validateAttributes("sort", names); err != nil {
		return err
	}
	return validateAttributes("fields", s.Fields)
}

// validateAttributes refuses a list of attributes with one that stands twice
// or has no name.
func validateAttributes(field string, names []string) error {
	first := make(map[string]int, len(names))
	for i, name := range names {
		field := field + "[" + strconv.Itoa(i) + "]"
		if name == "" {
			return cairn.Invalid(field, "ATTRIBUTE_NAME", "names no attribute")
		}
		if before, twice := first[name]; twice {
			return cairn.Invalid(field, "ATTRIBUTE_TWICE", "%s stands here again; it is number %d already", name, before+1)
		}
		first[name] = i
	}
	return nil
}

// validateText refuses what could not be printed in a table: a declaration's
// free texts are shown to people.
func validateText(field, text string) error {
	if len(text) > maxText {
		return cairn.Invalid(field, "TEXT_TOO_LONG", "%d bytes; it has at most %d", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return cairn.Invalid(field, "TEXT_NOT_PRINTABLE", "text that is not UTF-8")
	}
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return cairn.Invalid(field, "TEXT_NOT_PRINTABLE", "%q has a space or a character that can't be printed", text)
		}
	}
	return nil
}

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || validateText("", host) != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
