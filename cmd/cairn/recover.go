package main

import "github.com/spf13/cobra"

func newRecover(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring back an index or the map after a loss",
		Args:  arguments(0, 0),
	}
	cmd.AddCommand(newRecoverIndex(o), newRecoverMap(o))
	return cmd
}
