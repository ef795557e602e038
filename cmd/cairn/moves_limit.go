package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// limitsDocument is what moves may copy in a second, 0 for no bound. It is left out
// where the flags of the router decide.
type limitsDocument struct {
	Bytes   int64 `json:"bytes_per_second"`
	Entries int64 `json:"entries_per_second"`
}

func newMovesLimit(o *options) *cobra.Command {
	var limits cairnv1.CopyLimits
	var byFlags bool
	cmd := &cobra.Command{
		Use:   "limit",
		Short: "Bound what all moves together copy, from now on",
		Long: `Bound what all moves together copy in a second. Moves that go on keep to it at once,
and whichever router carries moves out keeps to it instead of its flags. What has
changed since the copy is not slowed down.`,
		Example: `  cairn moves limit --bytes 10485760
  cairn moves limit --entries 50000
  cairn moves limit --default`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			said := cmd.Flags().Changed("bytes") || cmd.Flags().Changed("entries")
			if said == byFlags {
				return cairn.Invalid("limit", "LIMIT_NEEDED", "say --bytes or --entries, or --default to leave it to the routers' flags")
			}
			request := &cairnv1.LimitCopiesRequest{}
			if said {
				request.Limits = &limits
			}
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				response, err := c.Admin().LimitCopies(ctx, request)
				if err != nil {
					return err
				}
				d := newLimitsDocument(response.GetSettings())
				return o.print(cmd, struct {
					Limits *limitsDocument `json:"limits,omitempty"`
				}{d}, func(out io.Writer) error {
					_, err := fmt.Fprintln(out, d)
					return err
				})
			})
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().Int64Var(&limits.Bytes, "bytes", 0, "how many `BYTES` a second; 0 for no bound")
	cmd.Flags().Int64Var(&limits.Entries, "entries", 0, "how many `ENTRIES` a second; 0 for no bound")
	cmd.Flags().BoolVar(&byFlags, "default", false, "leave it to the flags of the router that carries moves out")
	return cmd
}

func newLimitsDocument(s *cairnv1.MoverSettings) *limitsDocument {
	if s.GetLimits() == nil {
		return nil
	}
	return &limitsDocument{s.GetLimits().GetBytes(), s.GetLimits().GetEntries()}
}

// String is the limits in a line.
func (d *limitsDocument) String() string {
	if d == nil {
		return "moves copy as fast as the flags of the router that carries them out allow"
	}
	var bounds []string
	if d.Bytes > 0 {
		bounds = append(bounds, render.Count(uint64(d.Bytes))+" bytes a second")
	}
	if d.Entries > 0 {
		bounds = append(bounds, render.Count(uint64(d.Entries))+" entries a second")
	}
	if len(bounds) == 0 {
		return "moves copy as fast as they can"
	}
	return "moves copy at most " + strings.Join(bounds, " and ") + " together"
}
