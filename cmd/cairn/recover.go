package main

import "github.com/spf13/cobra"

func newRecover(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring back what has lost the majority of its replicas",
		Args:  arguments(0, 0),
	}
	cmd.AddCommand(newRecoverIndex(o))
	return cmd
}
