package main

import "github.com/spf13/cobra"

func newView(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Export a view's bitmap and keys",
		Long: `What operators do with views beside declaring them ('cairn apply'), listing
them ('cairn get views') and asking them ('cairn query').`,
		Example: "  cairn view export long-lighted --cluster north --bitmap north.roaring --keys north.ndjson",
	}
	cmd.AddCommand(newViewExport(o))
	return cmd
}
