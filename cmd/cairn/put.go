package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type putDocument struct {
	keyField
	Created bool `json:"created"`
	nodeFields
	Replicas []nodeFields `json:"replicas,omitempty"`
	Version  string       `json:"version"`
	Token    string       `json:"token"`
}

type putFlags struct {
	node     string
	replicas []string
	set      []string
	merge    bool
	condition
}

func newPut(o *options) *cobra.Command {
	var f putFlags
	cmd := &cobra.Command{
		Use:   "put KEYSPACE KEY",
		Short: "Create or change an entry",
		Long: `Create an entry, or replace the attributes of one.

Without --node an entry keeps its node, and a new one gets one by its cluster's
placement policy. With --merge, attributes that are not named stay, and
--set NAME= makes one absent.`,
		Example: `  cairn put runways 252159 --set surface=ASPH --set length_ft=12091
  cairn put runways 252159 --merge --set lighted=true --set surface=
  cairn put runways 252159 --set length_ft=12100 --if-version 12.340.0`,
		Args: arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.put(cmd, args[0], args[1], &f) },
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.Flags().StringVar(&f.node, "node", "", "the primary `NODE`; by default the cluster chooses one for a new key")
	cmd.Flags().StringSliceVar(&f.replicas, "replica", nil, "a further `NODE`, with --node")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "an attribute's value, as in `NAME=VALUE`")
	cmd.Flags().BoolVar(&f.merge, "merge", false, "keep attributes that are not named")
	f.condition.flags(cmd)
	return cmd
}

func (o *options) put(cmd *cobra.Command, keyspace, keyText string, f *putFlags) error {
	write := cairn.Write{Operation: cairn.Put, Node: f.node, Replicas: f.replicas}
	if f.merge {
		write.Operation = cairn.Merge
	}
	var err error
	if write.Key, err = o.keys.Key(keyText); err != nil {
		return err
	}
	if write.Condition, err = f.condition.read(); err != nil {
		return err
	}
	var outcome cairn.WriteOutcome
	var token cairn.Token
	err = o.asking(cmd, func(ctx context.Context, c *client.Client) error {
		if write.Attributes, err = assignments(ctx, c, keyspace, f.set, f.merge); err != nil {
			return err
		}
		outcome, token, err = c.Put(ctx, keyspace, write, cairn.RequestID{})
		return err
	})
	if err != nil {
		return err
	}
	document := putDocument{
		keyField: o.keyField(write.Key), Created: !outcome.Existed, nodeFields: nodeOf(outcome.Cluster, outcome.Primary),
		Replicas: nodesOf(outcome.Cluster, outcome.Replicas), Version: outcome.Version.String(), Token: token.String(),
	}
	return o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"KEY", "RESULT", "CLUSTER", "NODE", "ADDRESS", "VERSION"}}
		what := "changed"
		if document.Created {
			what = "created"
		}
		grid.Row(o.keys.Text(write.Key), what, outcome.Cluster, nodeNames(outcome.Primary, outcome.Replicas), document.Address, document.Version)
		return grid.Write(out)
	})
}

// assignments reads --set flags as values of the types that the keyspace
// declares. It asks for the declaration only if there are some.
func assignments(ctx context.Context, c *client.Client, keyspace string, set []string, merge bool) (cairn.NamedValues, error) {
	if len(set) == 0 {
		return nil, nil
	}
	declaration, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(keyspace)})
	if err != nil {
		return nil, err
	}
	declared := attributeSpecs(declaration)
	var out cairn.NamedValues
	seen := map[string]bool{}
	for _, assignment := range set {
		name, text, ok := strings.Cut(assignment, "=")
		if !ok {
			return nil, cairn.Invalid("--set", "SET_MALFORMED", "%q is not an assignment; one looks like surface=ASPH", assignment)
		}
		if seen[name] {
			return nil, cairn.Invalid("attributes."+name, "ATTRIBUTE_TWICE", "set twice")
		}
		seen[name] = true
		value, err := assigned(declared, name, text, merge)
		if err != nil {
			return nil, cairn.InField("attributes."+name, err)
		}
		out = append(out, cairn.NamedValue{Name: name, Value: value})
	}
	out.Sort()
	return out, nil
}

func assigned(declared []cairn.AttributeSpec, name, text string, merge bool) (cairn.Value, error) {
	var names []string
	for _, d := range declared {
		if d.Name != name {
			names = append(names, d.Name)
			continue
		}
		if text == "" && merge {
			return cairn.Value{}, nil
		}
		if text == "" && d.Type != cairn.TypeString {
			return cairn.Value{}, cairn.Invalid("", "VALUE_MALFORMED", "an empty value is not %s; leave the attribute out to have it absent, or use --merge to make it so", d.Type)
		}
		return cairn.ParseValue(d.Type, text)
	}
	if len(names) == 0 {
		return cairn.Value{}, cairn.Invalid("", "ATTRIBUTE_UNKNOWN", "the keyspace declares no attributes")
	}
	return cairn.Value{}, cairn.Invalid("", "ATTRIBUTE_UNKNOWN", "the keyspace declares no such attribute; it has %s", strings.Join(names, ", "))
}

// condition are the flags that make a write depend on what is there.
type condition struct {
	ifAbsent  bool
	ifVersion string
}

func (c *condition) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.ifAbsent, "if-absent", false, "only if the key has no entry (else exit code 3)")
	cmd.Flags().StringVar(&c.ifVersion, "if-version", "", "only if the entry's `VERSION` is this one, as in 12.340.0 (else exit code 3)")
	cmd.MarkFlagsMutuallyExclusive("if-absent", "if-version")
}

func (c *condition) read() (cairn.Condition, error) {
	switch {
	case c.ifAbsent:
		return cairn.Condition{Present: true}, nil
	case c.ifVersion != "":
		version, err := cairn.ParseVersion(c.ifVersion)
		return cairn.Condition{Present: true, Version: version}, flagError("if-version", err)
	}
	return cairn.Condition{}, nil
}
