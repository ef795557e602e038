package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/cmd/daemon"
)

type restoredDocument struct {
	Dir     string    `json:"dir"`
	Cluster string    `json:"cluster"`
	UID     cairn.UID `json:"uid"`
	// Index is the log index up to which it has everything, MapRevision the
	// revision of etcd that it knows.
	Index       uint64 `json:"index"`
	MapRevision uint64 `json:"map_revision"`
	Entries     uint64 `json:"entries"`
}

func newRestore(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE DIR",
		Short: "Make the data directory of an index out of a backup",
		Long: `Make DIR, which is not there yet or empty, out of a backup of a cluster's index.
Everything in the backup is checked. No server is asked and none is changed: DIR
takes the place of the cluster's index when a server is started with it and says
so, once no server of that index runs any more:

  cairn index --restored --cluster NAME --data DIR --etcd URLS

Other replicas are then added with empty directories and --join. What was
acknowledged after the backup is lost: reads with tokens of it fail with
DATA_LOSS instead of being answered with less. etcd must not be older than the
backup.`,
		Example: "  cairn restore north-2026-11-27.backup /var/lib/cairn/north",
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			restored, err := daemon.Restore(args[0], args[1])
			if err != nil {
				return err
			}
			d := restoredDocumentOf(args[1], restored)
			return o.print(cmd, d, func(out io.Writer) error { return d.table(out, "restored") })
		},
	}
}

func restoredDocumentOf(dir string, r daemon.Restored) restoredDocument {
	return restoredDocument{Dir: dir, Cluster: r.Cluster, UID: r.UID, Index: r.Index, MapRevision: r.Revision, Entries: r.Entries}
}

// table says what there is, and how to go on.
func (d *restoredDocument) table(out io.Writer, done string) error {
	_, err := fmt.Fprintf(out, `%s %s: the index of cluster %s up to log index %d, with %s
make sure that no server of this index runs any more, then:
  cairn index --restored --cluster %s --data %s --etcd URLS
`, done, d.Dir, d.Cluster, d.Index, render.Counted(d.Entries, "entry", "entries"), d.Cluster, d.Dir)
	return err
}
