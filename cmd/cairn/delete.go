package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

func newDelete(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete KIND NAME",
		Short: "Delete a keyspace, a cluster or a view",
		Long: `Delete a keyspace that holds no entries and has no views, a cluster that owns
no shards, or any view. What is in use is refused (exit code 3). KIND is
keyspace, cluster or view.`,
		Example:   "  cairn delete keyspace runways",
		Args:      arguments(2, 2),
		ValidArgs: []string{"keyspace", "cluster", "view"},
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := kindOf(args[0])
			if err != nil {
				return err
			}
			name := kind.plural + "/" + args[1]
			err = o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				switch kind {
				case kindKeyspace:
					_, err = c.Admin().DeleteKeyspace(ctx, &cairnv1.DeleteKeyspaceRequest{Name: name})
				case kindCluster:
					_, err = c.Admin().DeleteCluster(ctx, &cairnv1.DeleteClusterRequest{Name: name})
				default:
					_, err = c.Admin().DeleteView(ctx, &cairnv1.DeleteViewRequest{Name: name})
				}
				return err
			})
			if err != nil {
				return err
			}
			document := struct {
				Deleted string `json:"deleted"`
			}{name}
			return o.print(cmd, document, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, "deleted", name)
				return err
			})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// kind is what sorts of resources there are.
type kind struct{ singular, plural string }

var (
	kindKeyspace = kind{"keyspace", "keyspaces"}
	kindCluster  = kind{"cluster", "clusters"}
	kindView     = kind{"view", "views"}
)

func kindOf(name string) (kind, error) {
	for _, k := range []kind{kindKeyspace, kindCluster, kindView} {
		if name == k.singular || name == k.plural {
			return k, nil
		}
	}
	return kind{}, cairn.Invalid("KIND", "KIND_UNKNOWN", "%q is not a kind of resource; they are keyspace, cluster and view", name)
}
