package manifest

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cairn"
	"cairn/shardmap/catalog"
)

// Write is resources as a manifest, one document each, with the defaults left
// out. Parse reads it back.
func Write(resources []catalog.Resource) []byte {
	var out strings.Builder
	for i, resource := range resources {
		if i > 0 {
			out.WriteString("---\n")
		}
		switch {
		case resource.Keyspace != nil:
			writeKeyspace(&out, resource.Keyspace)
		case resource.Cluster != nil:
			writeCluster(&out, resource.Cluster)
		default:
			writeView(&out, resource.View)
		}
	}
	return []byte(out.String())
}

func writeKeyspace(out *strings.Builder, spec *catalog.KeyspaceSpec) {
	fmt.Fprintf(out, "kind: %s\nname: %s\n", catalog.KindKeyspace, quote(spec.Name))
	placement := flow{{"scheme", spec.Placement.Scheme.String()}}
	if spec.Placement.Affinity != "" {
		placement.add("affinity", quote(spec.Placement.Affinity))
	}
	if spec.InitialShards != 0 {
		placement.add("initial_shards", strconv.FormatUint(uint64(spec.InitialShards), 10))
	}
	if len(spec.InitialSplits) > 0 {
		splits := make([]string, len(spec.InitialSplits))
		for i, split := range spec.InitialSplits {
			splits[i] = quoteBytes(split)
		}
		placement.add("initial_splits", "["+strings.Join(splits, ", ")+"]")
	}
	fmt.Fprintf(out, "placement: %s\n", placement)
	if spec.Replicas != 0 {
		fmt.Fprintf(out, "replicas: %d\n", spec.Replicas)
	}
	if spec.Mover != "" {
		fmt.Fprintf(out, "mover: %s\n", quote(spec.Mover))
	}
	if len(spec.Attributes) == 0 {
		return
	}
	out.WriteString("attributes:\n")
	for _, a := range spec.Attributes {
		fields := flow{{"type", a.Type.String()}}
		if a.Unindexed {
			fields.add("index", "none")
		}
		fmt.Fprintf(out, "  %s: %s\n", quote(a.Name), fields)
	}
}

func writeCluster(out *strings.Builder, spec *catalog.ClusterSpec) {
	fmt.Fprintf(out, "kind: %s\nname: %s\n", catalog.KindCluster, quote(spec.Name))
	if spec.Zone != "" {
		fmt.Fprintf(out, "zone: %s\n", quote(spec.Zone))
	}
	if spec.Weight != nil {
		fmt.Fprintf(out, "weight: %d\n", *spec.Weight)
	}
	if len(spec.IndexReplicas) > 0 {
		quoted := make([]string, len(spec.IndexReplicas))
		for i, address := range spec.IndexReplicas {
			quoted[i] = quote(address)
		}
		fmt.Fprintf(out, "index: {replicas: [%s]}\n", strings.Join(quoted, ", "))
	}
	if spec.Health != cairn.HealthNone {
		fmt.Fprintf(out, "health: %s\n", spec.Health)
	}
	out.WriteString("nodes:\n")
	for _, n := range spec.Nodes {
		fields := flow{{"name", quote(n.Name)}, {"address", quote(n.Address)}}
		if n.Zone != "" {
			fields.add("zone", quote(n.Zone))
		}
		if n.Weight != nil {
			fields.add("weight", strconv.FormatUint(uint64(*n.Weight), 10))
		}
		if n.State != 0 {
			fields.add("state", n.State.String())
		}
		fmt.Fprintf(out, "  - %s\n", fields)
	}
}

// flow is a mapping on one line.
type flow [][2]string

func (f *flow) add(field, value string) { *f = append(*f, [2]string{field, value}) }

func (f flow) String() string {
	fields := make([]string, len(f))
	for i, pair := range f {
		fields[i] = pair[0] + ": " + pair[1]
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

var (
	plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	// reserved words mean something else to one YAML version or another.
	reserved = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
)

// quote is text as YAML: as it is where no reader could mistake it, otherwise
// in double quotes.
func quote(text string) string {
	if plain.MatchString(text) && !slices.Contains(reserved, strings.ToLower(text)) {
		return text
	}
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&out, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

func quoteBytes(b []byte) string {
	if utf8.Valid(b) {
		return quote(string(b))
	}
	return "!!binary " + base64.StdEncoding.EncodeToString(b)
}
