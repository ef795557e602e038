package main

import (
	"slices"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
)

func newDiff(o *options) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Show what apply would change",
		Long: `Show what 'cairn apply' of the same manifest would change, and change nothing.

The exit code is 0 if it would change nothing, 1 if it would change something,
and 2 for every error, what apply would refuse included.`,
		Example: "  cairn diff -f fleet.yaml",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			document, err := o.apply(cmd, file, &cairnv1.ApplyRequest{ValidateOnly: true})
			if err != nil {
				return err
			}
			if slices.ContainsFunc(document.Changes, func(c changeDocument) bool { return c.Action != "unchanged" }) {
				return exit{exitFailed}
			}
			return nil
		},
	}
	clientFlags(cmd, o)
	fileFlag(cmd, &file)
	return cmd
}
