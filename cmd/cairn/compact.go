package main

import (
	"io"

	"github.com/spf13/cobra"

	"cairn/cmd/cairn/render"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
)

type compactDocument struct {
	Files []compactedDocument `json:"files"`
}

type compactedDocument struct {
	Path   string `json:"path"`
	Before int64  `json:"bytes_before"`
	After  int64  `json:"bytes_after"`
}

func newCompact(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "compact DIR|FILE",
		Short: "Give back the free pages of index files that no server has open",
		Long: `Write every index file below DIR, or one, anew without its free pages, which a
file keeps for what comes later. The server must not be running. The new file is
checked before it takes the old one's place; there must be room for both.`,
		Example: "  cairn compact /var/lib/cairn/north",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := indexFiles(args[0])
			if err != nil {
				return err
			}
			return o.compact(cmd, files)
		},
	}
}

// compact compacts one file after the other, up to the first that can't be, and
// prints what it did.
func (o *options) compact(cmd *cobra.Command, files []string) error {
	document := compactDocument{Files: []compactedDocument{}}
	var failed error
	for _, path := range files {
		before, after, err := nodeindex.Compact(durable.Disk{}, path)
		if err != nil {
			failed = err
			break
		}
		document.Files = append(document.Files, compactedDocument{path, before, after})
	}
	if failed != nil && len(document.Files) == 0 {
		return failed
	}
	err := o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"FILE", "BYTES BEFORE", "BYTES AFTER"}, Right: []int{1, 2}}
		for _, d := range document.Files {
			grid.Row(d.Path, render.Count(d.Before), render.Count(d.After))
		}
		return grid.Write(out)
	})
	if failed != nil {
		return failed
	}
	return err
}
