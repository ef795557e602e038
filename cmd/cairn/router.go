package main

import (
	"github.com/spf13/cobra"

	"cairn/cmd/daemon"
	"cairn/router/move"
)

func newRouter() *cobra.Command {
	var config daemon.RouterConfig
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "router --etcd URLS",
		Short: "Run a router, which serves the API",
		Long: `Serve the API to data services and to these verbs, by the map in etcd and the
index servers that its clusters name. With --data the map is kept on disk too,
and a router that starts while etcd is down serves from there.`,
		Example: "  cairn router --etcd http://127.0.0.1:2379 --data /var/lib/cairn/router",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := server.complete(cmd, &config.Common); err != nil {
				return err
			}
			return asFlag(cmd, daemon.RunRouter(cmd.Context(), config))
		},
	}
	server.flags(cmd, &config.Common, daemon.DefaultListen, daemon.DefaultHTTP)
	cmd.Flags().StringSliceVar(&config.Etcd, "etcd", nil, "`URLS` of etcd, separated by commas")
	cmd.Flags().StringVar(&config.Data, "data", "", "keep the map's journal in `DIR`; by default there is none")
	cmd.Flags().StringVar(&config.Zone, "zone", "", "the `ZONE` that the router is in; index replicas there are asked first, and nodes there are the nearest")
	chooseFlag(cmd, &config.Choose, "which of an entry's nodes to use where a request does not say, by a `RULE`")
	cmd.Flags().StringVar(&config.Fleet, "fleet", "", "the `ADDRESS` where other routers reach this one, to share questions about views with those that have one; by default it shares none")
	cmd.Flags().Float64Var(&config.Callers.Rate, "caller-rate", 0, "how many `KEYS`, writes and questions a second each caller may ask; 0 for no bound")
	cmd.Flags().IntVar(&config.Callers.Calls, "caller-calls", 0, "how many `CALLS` each caller may have under way at once; 0 for no bound")
	cmd.Flags().IntVar(&config.Moves.PerCluster, "moves-per-cluster", move.PerCluster, "how many `MOVES` of shards a cluster takes part in at once")
	cmd.Flags().Int64Var(&config.Moves.Rate.Bytes, "move-bytes", 0, "how many `BYTES` a second all moves may copy together; 0 for no bound")
	cmd.Flags().Int64Var(&config.Moves.Rate.Entries, "move-entries", 0, "how many `ENTRIES` a second all moves may copy together; 0 for no bound")
	cacheFlags(cmd, &config.Cache)
	must(cmd.MarkFlagRequired("etcd"))
	must(cmd.MarkFlagDirname("data"))
	return cmd
}
