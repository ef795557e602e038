package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type replicasDocument struct {
	Replicas []replicaDocument `json:"replicas"`
}

type replicaDocument struct {
	Address  string `json:"address"`
	ID       string `json:"id,omitempty"`
	Role     string `json:"role"`
	Declared bool   `json:"declared"`
	// AppliedIndex and Revision are absent where nothing answers.
	AppliedIndex uint64 `json:"applied_index,omitempty"`
	Revision     uint64 `json:"revision,omitempty"`
	Trouble      string `json:"trouble,omitempty"`
}

func newReplicas(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replicas",
		Short: "List, add and remove replicas of a cluster's index",
		Long: `The cluster's manifest names the replicas of its index under index.replicas.
The one that leads brings the index there: a new replica gets a copy first and
then a vote, and one that is not named any more goes when all others count.

'add' and 'remove' change that list as 'cairn apply' would; change the manifest
too.`,
		Args: arguments(0, 0),
	}
	cmd.AddCommand(newReplicasList(o), newReplicasAdd(o), newReplicasRemove(o))
	return cmd
}

func newReplicasList(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list CLUSTER",
		Short: "List the replicas of a cluster's index",
		Long: `List every replica of a cluster's index with its role, and how far its log is
applied. A waiting one runs and is not part of the index yet.`,
		Example: "  cairn cluster replicas list north",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				response, err := c.Admin().ListReplicas(ctx, &cairnv1.ListReplicasRequest{Parent: clusterName(args[0])})
				if err != nil {
					return err
				}
				return o.printReplicas(cmd, response.GetReplicas())
			})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

func (o *options) printReplicas(cmd *cobra.Command, replicas []*cairnv1.Replica) error {
	document := replicasDocument{Replicas: make([]replicaDocument, len(replicas))}
	for i, r := range replicas {
		document.Replicas[i] = replicaDocument{
			Address: r.GetAddress(), ID: r.GetId(), Role: strings.ToLower(r.GetRole().String()), Declared: r.GetDeclared(),
			AppliedIndex: r.GetAppliedIndex(), Revision: r.GetRevision(), Trouble: r.GetTrouble(),
		}
	}
	return o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"ADDRESS", "ROLE", "DECLARED", "APPLIED", "REPLICA", "TROUBLE"}, Right: []int{3}}
		for _, d := range document.Replicas {
			applied, declared := "?", "no"
			if d.AppliedIndex > 0 {
				applied = strconv.FormatUint(d.AppliedIndex, 10)
			}
			if d.Declared {
				declared = "yes"
			}
			id, trouble := "-", "-"
			if d.ID != "" {
				id = d.ID
			}
			if d.Trouble != "" {
				trouble = oneLine(d.Trouble)
			}
			grid.Row(d.Address, d.Role, declared, applied, id, trouble)
		}
		return grid.Write(out)
	})
}
