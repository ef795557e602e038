package main

import (
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/cmd/daemon"
)

func newRecoverMap(o *options) *cobra.Command {
	var config daemon.RecoverMapConfig
	var yes bool
	cmd := &cobra.Command{
		Use:   "map DIR...",
		Short: "Make the map again out of the clusters' indexes",
		Long: `For an etcd that has lost what Cairn kept there, or that is older than the indexes.
Make the map again out of the data directories of indexes, at least one of each
cluster: their servers must not run, and directories may be copies. Of a cluster's
replicas the one counts that has noted the latest map.

Without --yes it shows what would be written, and changes nothing. Then it looks at
--etcd too, if that is given.

Where two indexes have noted the same keys, the higher epoch has them. Ranges that no
index has are refused: give the index that has them, or leave the keyspace out with
--without, or give up what they held with --missing CLUSTER. A range that was on its way
and that its new cluster has as a whole is shown as staged; --staged takes it from
there, which is right unless a cluster that is not given has it.

All shards get new epochs. So etcd's revision has to be above every one that an index,
a router or a token knows; this command writes until it is, or says how to have etcd
begin there. Moves under way are cancelled. What had been noted by no index is lost: a
split or a declaration of the last moments, and finished moves.`,
		Example: `  cairn recover map /var/lib/cairn/north /var/lib/cairn/south
  cairn recover map /var/lib/cairn/north /var/lib/cairn/south --etcd http://127.0.0.1:2379 --yes`,
		Args: arguments(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config.Dirs, config.Now = args, time.Now()
			if yes && len(config.Etcd) == 0 {
				return cairn.Invalid("--etcd", "ETCD_MISSING", "say which etcd gets the map")
			}
			return asFlag(cmd, o.recoverMap(cmd, config, yes))
		},
	}
	cmd.Flags().StringSliceVar(&config.Etcd, "etcd", nil, "`URLS` of the etcd that gets the map, separated by commas")
	tlsFlags(cmd, &config.TLS)
	cmd.Flags().StringVar(&config.Missing, "missing", "", "LOSE what ranges held that no index has: give them, empty, to `CLUSTER`")
	cmd.Flags().BoolVar(&config.Staged, "staged", false, "have ranges that no index has be the cluster's that has them staged as a whole")
	cmd.Flags().StringSliceVar(&config.Without, "without", nil, "leave `KEYSPACE` out, by name or uid: one that was deleted")
	cmd.Flags().StringVar(&config.Replace, "replace", "", "DELETE the map that etcd has under `PREFIX` first")
	cmd.Flags().Uint64Var(&config.Above, "above", 0, "have etcd's revision be above `REVISION`, where a router has seen a later one than the indexes")
	cmd.Flags().Uint64Var(&config.MostWrites, "most-writes", 1_000_000, "write at most `N` times to raise etcd's revision")
	cmd.Flags().BoolVar(&yes, "yes", false, "write the map")
	return cmd
}

func (o *options) recoverMap(cmd *cobra.Command, config daemon.RecoverMapConfig, yes bool) error {
	logger, err := daemon.NewLogger(cmd.ErrOrStderr(), "logfmt", "error")
	if err != nil {
		return err
	}
	config.Log = logger
	plan, err := daemon.PlanMap(config)
	if err != nil {
		return err
	}
	document := recoveredMapOf(plan)
	if len(config.Etcd) > 0 {
		target, err := daemon.StandMap(cmd.Context(), plan, config)
		if err != nil {
			return err
		}
		document.Etcd = &etcdStandingDocument{Revision: target.Revision, Needed: target.To, Records: target.Records}
	}
	if !yes {
		if err := o.print(cmd, document, document.table); err != nil {
			return err
		}
		if err := plan.Check(); err != nil {
			return err
		}
		note(cmd, "nothing was changed; to write this map, say --yes")
		return nil
	}
	config.Raised = tellRaised(cmd)
	if document.Revision, err = daemon.RecoverMap(cmd.Context(), plan, config); err != nil {
		return err
	}
	if err := o.print(cmd, document, document.table); err != nil {
		return err
	}
	note(cmd, "the map was written at revision %d; now start the indexes, and start the routers anew", document.Revision)
	return nil
}

// tellRaised says once a second how far etcd's revision is.
func tellRaised(cmd *cobra.Command) func(revision, to uint64) {
	var mu sync.Mutex
	var said time.Time
	return func(revision, to uint64) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(said) < time.Second {
			return
		}
		said = time.Now()
		note(cmd, "raising etcd's revision: %s of %s", render.Count(revision), render.Count(to))
	}
}

// recoveredMapDocument is a plan of rebuild's.
type recoveredMapDocument struct {
	// Noted is the latest revision that an index has noted; Revision that of the map,
	// 0 while it is not written.
	Noted     uint64                  `json:"noted"`
	Revision  uint64                  `json:"revision,omitempty"`
	Clusters  []knownClusterDocument  `json:"clusters"`
	Keyspaces []knownKeyspaceDocument `json:"keyspaces"`
	// Cancelled is how many moves were under way.
	Cancelled int                   `json:"cancelled_moves"`
	Etcd      *etcdStandingDocument `json:"etcd,omitempty"`
}

type etcdStandingDocument struct {
	Revision uint64 `json:"revision"`
	Needed   uint64 `json:"needed_revision"`
	Records  int64  `json:"records"`
}

type knownClusterDocument struct {
	Name     string    `json:"name"`
	UID      cairn.UID `json:"uid"`
	Dir      string    `json:"dir"`
	Replicas int       `json:"replicas"`
	Noted    uint64    `json:"noted"`
	Applied  uint64    `json:"applied_index"`
}

type knownKeyspaceDocument struct {
	Name   string               `json:"name"`
	UID    cairn.UID            `json:"uid"`
	Views  []string             `json:"views,omitempty"`
	Shards []knownShardDocument `json:"shards"`
}

// knownShardDocument is a range of a keyspace; the bounds as people read them.
type knownShardDocument struct {
	Range   string `json:"range"`
	ID      uint64 `json:"id,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	// Epoch is the one that it had.
	Epoch  uint64 `json:"epoch,omitempty"`
	Pinned bool   `json:"pinned,omitempty"`
	Note   string `json:"note,omitempty"`
}
