package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type verifyDocument struct {
	Checks []comparison `json:"checks"`
}

type comparison struct {
	What    string `json:"what"`
	Outcome string `json:"outcome"`
	Index   uint64 `json:"index,omitempty"`
	Entries uint64 `json:"entries"`
	// Digest is in hexadecimal digits.
	Digest string `json:"digest,omitempty"`
	Note   string `json:"note,omitempty"`
}

func newVerify(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify KEYSPACE/ID",
		Short: "Compare all that is known of a shard",
		Long: `Compare all that is known of a shard: what each replica of its owner's index has in
its file with the digest that it kept with every write and with the shard's bounds
and epoch in the map, the replicas with one another, and while the shard is fenced
for a move what source and target have. Nothing is changed, but each replica takes a
checkpoint and reads the whole shard: give a large one time (--timeout).

The exit code is 0 if all is the same, 1 if anything is different, and 5 if
something could not be compared.`,
		Example: "  cairn verify runways/17",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, name, err := shardName(args[0])
			if err != nil {
				return err
			}
			var checks []*cairnv1.ShardCheck
			err = o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				response, err := c.Admin().VerifyShard(ctx, &cairnv1.VerifyShardRequest{Name: name})
				checks = response.GetChecks()
				return err
			})
			if err != nil {
				return err
			}
			return o.printChecks(cmd, checks)
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// printChecks prints what was compared, and ends with the exit code that says what
// came of it.
func (o *options) printChecks(cmd *cobra.Command, checks []*cairnv1.ShardCheck) error {
	document := verifyDocument{Checks: []comparison{}}
	code := exitOK
	for _, c := range checks {
		d := comparison{What: c.GetWhat(), Outcome: strings.ToLower(c.GetOutcome().String()), Index: c.GetIndex(), Entries: c.GetEntries(), Note: c.GetNote()}
		if d.Index > 0 {
			d.Digest = fmt.Sprintf("%016x", c.GetDigest())
		}
		document.Checks = append(document.Checks, d)
		switch {
		case c.GetOutcome() == cairnv1.ShardCheck_DIFFERENT:
			code = exitFailed
		case c.GetOutcome() != cairnv1.ShardCheck_SAME && code == exitOK:
			code = exitUnavailable
		}
	}
	err := o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"WHAT", "OUTCOME", "INDEX", "ENTRIES", "DIGEST", "NOTE"}, Right: []int{2, 3}}
		for _, d := range document.Checks {
			index, entries := "-", "-"
			if d.Index > 0 {
				index, entries = fmt.Sprint(d.Index), render.Count(d.Entries)
			}
			grid.Row(d.What, d.Outcome, index, entries, cmp.Or(d.Digest, "-"), cmp.Or(d.Note, "-"))
		}
		return grid.Write(out)
	})
	if err != nil || code == exitOK {
		return err
	}
	return exit{code}
}
