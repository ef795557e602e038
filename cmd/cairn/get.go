package main

import (
	"cmp"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cairn/cmd/cairn/render"
	"cairn/cmd/manifest"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
	"cairn/shardmap/catalog"
)

func newGet(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get KIND [NAME]",
		Short: "Show keyspaces, clusters and views",
		Long: `Show all keyspaces, clusters or views, or the one of a name. KIND is keyspaces,
clusters or views. With -o yaml they are printed as a manifest, which 'cairn
apply' takes back.`,
		Example: `  cairn get keyspaces
  cairn get cluster north
  cairn get view long-lighted
  cairn get clusters -o yaml > clusters.yaml`,
		Args:      arguments(1, 2),
		ValidArgs: []string{"keyspaces", "clusters", "views", "keyspace", "cluster", "view"},
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := kindOf(args[0])
			if err != nil {
				return err
			}
			name := ""
			if len(args) == 2 {
				name = args[1]
			}
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				switch kind {
				case kindKeyspace:
					return o.getKeyspaces(ctx, cmd, c, name)
				case kindCluster:
					return o.getClusters(ctx, cmd, c, name)
				}
				return o.getViews(ctx, cmd, c, name)
			})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// printResources prints a manifest, or document, or table.
func (o *options) printResources(cmd *cobra.Command, resources []catalog.Resource, document any, table func(io.Writer) error) error {
	if o.output == render.YAML {
		_, err := cmd.OutOrStdout().Write(manifest.Write(resources))
		return err
	}
	return o.print(cmd, document, table)
}

type keyspaceDocument struct {
	Name      string `json:"name"`
	Placement struct {
		Scheme   string `json:"scheme"`
		Affinity string `json:"affinity,omitempty"`
	} `json:"placement"`
	Replicas   uint32                       `json:"replicas"`
	Mover      string                       `json:"mover,omitempty"`
	Attributes map[string]attributeDocument `json:"attributes"`
	Shards     uint64                       `json:"shards"`
	UID        string                       `json:"uid"`
	Revision   uint64                       `json:"revision"`
}

type attributeDocument struct {
	Type  string `json:"type"`
	Index string `json:"index,omitempty"`
}

func newKeyspaceDocument(k *cairnv1.Keyspace) keyspaceDocument {
	d := keyspaceDocument{
		Name: short(k.GetName()), Replicas: k.GetReplicas(), Mover: k.GetMover(), Attributes: map[string]attributeDocument{},
		Shards: k.GetShardCount(), UID: k.GetUid(), Revision: k.GetRevision(),
	}
	d.Placement.Scheme, d.Placement.Affinity = schemeOf(k).String(), k.GetPlacement().GetAffinity()
	for _, a := range attributeSpecs(k) {
		index := ""
		if a.Unindexed {
			index = "none"
		}
		d.Attributes[a.Name] = attributeDocument{a.Type.String(), index}
	}
	return d
}

// getKeyspaces prints the keyspace of a name, or all for none.
func (o *options) getKeyspaces(ctx context.Context, cmd *cobra.Command, c *client.Client, name string) error {
	var all []*cairnv1.Keyspace
	if name != "" {
		one, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(name)})
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	for token := ""; name == ""; {
		page, err := c.Admin().ListKeyspaces(ctx, &cairnv1.ListKeyspacesRequest{PageToken: token})
		if err != nil {
			return err
		}
		all = append(all, page.GetKeyspaces()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	documents := make([]keyspaceDocument, len(all))
	resources := make([]catalog.Resource, len(all))
	grid := render.Grid{Header: []string{"NAME", "PLACEMENT", "REPLICAS", "SHARDS", "MOVER", "ATTRIBUTES"}, Right: []int{2, 3}}
	for i, k := range all {
		documents[i], resources[i] = newKeyspaceDocument(k), keyspaceSpec(k)
		placement := schemeOf(k).String()
		if affinity := k.GetPlacement().GetAffinity(); affinity != "" {
			placement += " up to " + strconv.Quote(affinity)
		}
		grid.Row(short(k.GetName()), placement, strconv.Itoa(int(k.GetReplicas())), render.Count(k.GetShardCount()), cmp.Or(k.GetMover(), "-"), attributeList(k))
	}
	if name != "" {
		return o.printResources(cmd, resources, documents[0], grid.Write)
	}
	return o.printResources(cmd, resources, struct {
		Keyspaces []keyspaceDocument `json:"keyspaces"`
	}{documents}, grid.Write)
}

func attributeList(k *cairnv1.Keyspace) string {
	var out []string
	for _, a := range attributeSpecs(k) {
		text := a.Name + " " + a.Type.String()
		if a.Unindexed {
			text += " (no index)"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
