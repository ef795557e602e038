package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/nodeindex"
)

type backupDocument struct {
	Cluster string `json:"cluster"`
	File    string `json:"file"`
	// Index is the log index up to which the backup has everything.
	Index uint64 `json:"index"`
	Bytes int64  `json:"bytes"`
}

func newBackup(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup CLUSTER FILE",
		Short: "Write a backup of a cluster's index to a file",
		Long: `Write a backup of a cluster's index to FILE, while the index goes on: everything
that was acknowledged before this command began. The file is there as a whole,
checked against its checksums, or is as it was before. 'cairn check FILE' looks
at everything in it, 'cairn restore' makes an index of it.

Keyspaces, clusters, views and shards are in etcd and need a backup of their own,
made right after this one: 'etcdctl snapshot save'.`,
		Example: "  cairn backup north north-2026-11-27.backup",
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.backUp(cmd, args[0], args[1])
		},
	}
	clientFlags(cmd, o)
	return cmd
}

func (o *options) backUp(cmd *cobra.Command, cluster, path string) error {
	if path == "-" {
		return cairn.Invalid("FILE", "FILE_NEEDED", "a backup goes to a file, which is read again before it counts")
	}
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	file, err := replaceFile(cmd, path)
	if err != nil {
		return err
	}
	defer file.abandon()
	err = c.BackupCluster(cmd.Context(), cluster, func(data []byte) error {
		_, err := file.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	if err := file.Flush(); err != nil {
		return err
	}
	backup, err := nodeindex.ReadBackup(file.temporary())
	if err != nil {
		return err
	}
	if err := file.replace(); err != nil {
		return err
	}
	d := backupDocument{Cluster: cluster, File: path, Index: backup.Index, Bytes: backup.Bytes}
	return o.print(cmd, d, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "backed up cluster %s to %s: %s bytes, up to log index %d\n", cluster, path, render.Count(d.Bytes), d.Index)
		return err
	})
}
