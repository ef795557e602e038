package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

type viewExportDocument struct {
	View    string `json:"view"`
	Cluster string `json:"cluster"`
	// Index is the log index of the state that was exported.
	Index       uint64 `json:"index"`
	Members     uint64 `json:"members"`
	BitmapBytes int    `json:"bitmap_bytes"`
}

// ordinalRecord is a line of the table of keys.
type ordinalRecord struct {
	Ordinal uint32 `json:"ordinal"`
	keyField
}

func newViewExport(o *options) *cobra.Command {
	var cluster, bitmap, keys string
	cmd := &cobra.Command{
		Use:   "export VIEW --cluster CLUSTER",
		Short: "Write a view's members in one cluster as a bitmap",
		Long: `Write the members of a view in one cluster, at one state of its index: the
bitmap of their ordinals in Roaring's portable 32-bit format, and the table that
leads from ordinals to keys, one JSON object a line:

  {"ordinal":17,"key":"252159"}

"key_encoding" stands beside a key that is not UTF-8. Ordinals are of this
export alone: the index numbers its entries as it likes. "-" is standard output,
for one of both. A file is there as a whole, or is as it was before.`,
		Example: `  cairn view export long-lighted --cluster north --bitmap north.roaring --keys north.ndjson
  cairn view export long-lighted --cluster north --keys - | head`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case bitmap == "" && keys == "":
				return usageError{errors.New("nothing to write: say --bitmap FILE, --keys FILE or both")}
			case bitmap == keys:
				return usageError{fmt.Errorf("--bitmap and --keys are both %s; each needs a file of its own", bitmap)}
			}
			return o.exportView(cmd, args[0], cluster, bitmap, keys)
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.Flags().StringVar(&cluster, "cluster", "", "`NAME` of the cluster")
	cmd.Flags().StringVar(&bitmap, "bitmap", "", "write the bitmap to `FILE`")
	cmd.Flags().StringVar(&keys, "keys", "", "write the table of keys to `FILE`")
	must(cmd.MarkFlagRequired("cluster"))
	must(cmd.MarkFlagFilename("bitmap"))
	must(cmd.MarkFlagFilename("keys"))
	return cmd
}

func (o *options) exportView(cmd *cobra.Command, view, cluster, bitmapPath, keysPath string) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	bitmap, err := replaceFile(cmd, bitmapPath)
	if err != nil {
		return err
	}
	defer bitmap.abandon()
	keys, err := replaceFile(cmd, keysPath)
	if err != nil {
		return err
	}
	defer keys.abandon()
	e := viewExport{options: o, bitmap: bitmap, keys: keys}
	if err := e.receive(cmd, c, view, cluster); err != nil {
		return err
	}
	if err := bitmap.replace(); err != nil {
		return err
	}
	if err := keys.replace(); err != nil {
		return err
	}
	d := viewExportDocument{View: view, Cluster: cluster, Index: e.index, Members: e.members, BitmapBytes: e.raw.Len()}
	if bitmapPath == "-" || keysPath == "-" {
		return nil // what is there says it all
	}
	return o.print(cmd, d, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "exported %s of view %s in cluster %s, at log index %d\n", render.Counted(d.Members, "member", "members"), view, cluster, d.Index)
		return err
	})
}

// viewExport is an export under way.
type viewExport struct {
	*options
	bitmap, keys io.Writer
	raw          bytes.Buffer
	ordinals     roaring.IntPeekable
	index        uint64
	members, got uint64
}

func (e *viewExport) receive(cmd *cobra.Command, c *client.Client, view, cluster string) error {
	err := c.ExportView(cmd.Context(), view, cluster, func(piece cairn.ExportPiece) error {
		e.index = piece.Index
		e.raw.Write(piece.Bitmap)
		if len(piece.Keys) == 0 {
			return nil
		}
		if err := e.begin(); err != nil {
			return err
		}
		for _, key := range piece.Keys {
			if !e.ordinals.HasNext() {
				return incomplete("more keys than the %d ordinals in the bitmap", e.members)
			}
			e.got++
			if err := render.Line(e.keys, render.JSON, ordinalRecord{e.ordinals.Next(), e.keyField(key)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.begin(); err != nil {
		return err
	}
	if e.got != e.members {
		return incomplete("%d keys for the %d ordinals in the bitmap", e.got, e.members)
	}
	_, err = e.bitmap.Write(e.raw.Bytes())
	return err
}

// begin reads the bitmap, which is whole when the first keys come.
func (e *viewExport) begin() error {
	if e.ordinals != nil {
		return nil
	}
	bitmap := roaring.New()
	if _, err := bitmap.FromBuffer(e.raw.Bytes()); err != nil {
		return incomplete("the bitmap can't be read: %v", err)
	}
	e.members, e.ordinals = bitmap.GetCardinality(), bitmap.Iterator()
	return nil
}

func incomplete(format string, args ...any) error {
	return cairn.Errorf(cairn.KindInternal, "EXPORT_INCOMPLETE", "the export is not whole: "+format, args...)
}
