package main

import (
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/daemon"
)

func newIndex() *cobra.Command {
	var config daemon.IndexConfig
	var server serverFlags
	var changesMiB int64
	cmd := &cobra.Command{
		Use:   "index --cluster NAME --data DIR --etcd URLS",
		Short: "Run a replica of the node index of one cluster",
		Long: `Serve the node index of one cluster to routers. The cluster's manifest names
this server's address under index.replicas; until the cluster is applied the
server waits.

The first server of a cluster begins its index. Every further one is started
with --join: it waits until the manifest names it, gets a copy, and then counts
as one of the replicas that must agree.

With --restored a directory that 'cairn restore' or 'cairn recover index' made
takes the place of the index that the cluster has. Nothing of that one may run any
more. Its shards get new epochs before anything is served. Once it has, the
server is started without the flag.`,
		Example: `  cairn index --cluster north --data /var/lib/cairn/north --etcd http://127.0.0.1:2379
  cairn index --cluster north --data /var/lib/cairn/north-2 --listen 127.0.0.1:7721 --join --etcd http://127.0.0.1:2379`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := server.complete(cmd, &config.Common); err != nil {
				return err
			}
			switch {
			case changesMiB < 1 || changesMiB > 1<<30:
				return cairn.Invalid("--changes-mib", "CHANGES_SIZE", "%d; at least 1 MiB of changes is kept", changesMiB)
			case config.Changes.Age < time.Minute:
				return cairn.Invalid("--changes-age", "CHANGES_AGE", "%v; changes are kept for a minute at least", config.Changes.Age)
			}
			config.Changes.Bytes = changesMiB << 20
			return asFlag(cmd, daemon.RunIndex(cmd.Context(), config))
		},
	}
	server.flags(cmd, &config.Common, daemon.DefaultIndexListen, daemon.DefaultIndexHTTP)
	cmd.Flags().StringVar(&config.Cluster, "cluster", "", "`NAME` of the cluster")
	cmd.Flags().StringVar(&config.Data, "data", "", "keep the index in `DIR`, made if it is not there")
	cmd.Flags().BoolVar(&config.Join, "join", false, "with an empty directory, wait to be made another replica of the index that the cluster has")
	cmd.Flags().BoolVar(&config.Restored, "restored", false, "have a restored directory take the place of the index that the cluster has")
	cmd.Flags().StringVar(&config.Replaces, "replaces", "", "with --restored, the `REPLICA` that restored the index since the directory was saved")
	cmd.Flags().StringVar(&config.Advertise, "advertise", "", "`ADDRESS` by which the manifest names this server, if not that of --listen")
	cmd.Flags().Int64Var(&changesMiB, "changes-mib", 1024, "keep changes for watches that go on later, at most `N` MiB on disk")
	cmd.Flags().DurationVar(&config.Changes.Age, "changes-age", 24*time.Hour, "keep such changes for so long")
	cmd.Flags().StringSliceVar(&config.Etcd, "etcd", nil, "`URLS` of etcd, separated by commas")
	must(cmd.MarkFlagRequired("cluster"))
	must(cmd.MarkFlagRequired("data"))
	must(cmd.MarkFlagRequired("etcd"))
	must(cmd.MarkFlagDirname("data"))
	return cmd
}
