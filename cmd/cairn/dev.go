package main

import (
	"github.com/spf13/cobra"

	"cairn/cmd/daemon"
)

func newDev() *cobra.Command {
	var config daemon.DevConfig
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "dev --data DIR",
		Short: "Run the whole stack in one process",
		Long: `Run a router, an embedded etcd and the node index of every applied cluster in
one process. Everything is kept below DIR: started again with the same DIR it
serves the same data.

It prints one line that starts with "ready" once it serves, and ends cleanly
on SIGTERM and Ctrl-C.`,
		Example: "  cairn dev --data ./stack",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := server.complete(cmd, &config.Common); err != nil {
				return err
			}
			return asFlag(cmd, daemon.RunDev(cmd.Context(), config))
		},
	}
	server.flags(cmd, &config.Common, daemon.DefaultListen, daemon.DefaultHTTP)
	cmd.Flags().StringVar(&config.Data, "data", "", "keep everything in `DIR`, made if it is not there")
	cacheFlags(cmd, &config.Cache)
	must(cmd.MarkFlagRequired("data"))
	must(cmd.MarkFlagDirname("data"))
	return cmd
}
