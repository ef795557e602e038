package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/load"
	"cairn/cmd/cairn/progress"
	"cairn/cmd/cairn/records"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// The size of an import's batches: big enough that the index's fsync is
// shared by many rows, and below the limit on messages.
const (
	importLanes      = 4
	importBatchRows  = 2000
	importBatchBytes = 700 << 10
)

// The formats of files.
const (
	csv    = "csv"
	ndjson = "ndjson"
)

type importDocument struct {
	Keyspace string `json:"keyspace"`
	Imported int64  `json:"imported"`
	Created  int64  `json:"created"`
	Replaced int64  `json:"replaced"`
	// Placed rows named nodes that could not be taken.
	Placed  int64   `json:"placed"`
	Skipped int64   `json:"skipped"`
	Seconds float64 `json:"seconds"`
	Token   string  `json:"token"`
}

type importFlags struct {
	key, node  string
	attributes []string
	format     string
	nodes      string
	skipBad    int
	patience   time.Duration
}

func newImport(o *options) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import KEYSPACE FILE",
		Short: "Import the rows of a CSV or NDJSON file",
		Long: `Put each row of a file, replacing the attributes of entries that are there.
FILE is CSV with a header, or NDJSON (one object a line), by its name or
--format; "-" reads standard input.

Each declared attribute is read from the column of its name, or from the one
that --attribute says; other columns are ignored. An empty cell, or null, is an
absent attribute. Bools are true, false, 1 or 0, timestamps as in RFC 3339,
to the microsecond.

What 'cairn export' prints needs no --key. The nodes in it are kept where the
key's cluster has them and they take new entries; elsewhere the cluster chooses,
and the result counts how often ("placed"). --nodes require refuses such rows,
as it does by default with --node; --nodes ignore lets the clusters choose.

A bad row is named with file, line and column. It ends the import; everything
before it is kept and counted. --skip-bad N skips the first N bad rows. Rows that
the service refuses are bad too; some rows after such a row may be imported.
Importing a file again does no harm, and completes an import that was cut short.`,
		Example: `  cairn import runways runways.csv --key id
  cairn import runways runways.csv --key id --attribute lit=lighted --skip-bad 10
  cairn import runways export.ndjson`,
		Args: arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.importFile(cmd, args[0], args[1], &f) },
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.Flags().StringVar(&f.key, "key", "", "the `COLUMN` that is the key")
	cmd.Flags().StringVar(&f.node, "node", "", "the `COLUMN` that names the primary node")
	cmd.Flags().StringArrayVar(&f.attributes, "attribute", nil, "read an attribute from another column, as in `NAME=COLUMN`")
	cmd.Flags().StringVar(&f.format, "format", "", "`FORMAT` of the file, csv or ndjson (default: as FILE's name ends)")
	cmd.Flags().StringVar(&f.nodes, "nodes", "", "what becomes of nodes that rows name: `POLICY` prefer, require or ignore (default prefer; require with --node)")
	cmd.Flags().IntVar(&f.skipBad, "skip-bad", 0, "skip this many bad rows before giving up")
	cmd.Flags().DurationVar(&f.patience, "patience", time.Minute, "how long to retry what can't be written for now")
	must(cmd.RegisterFlagCompletionFunc("format", words(csv, ndjson)))
	must(cmd.RegisterFlagCompletionFunc("nodes", words("prefer", "require", "ignore")))
	return cmd
}

func (o *options) importFile(cmd *cobra.Command, keyspace, path string, f *importFlags) error {
	nodes, err := f.nodesPolicy()
	if err != nil {
		return err
	}
	if f.skipBad < 0 {
		return cairn.Invalid("--skip-bad", "SKIP_BAD", "%d; it is a number of rows", f.skipBad)
	}
	if f.format, err = f.formatOf(path); err != nil {
		return err
	}
	in, name, size, err := openInput(cmd, path)
	if err != nil {
		return err
	}
	defer in.Close()
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	mapping, err := o.mapping(cmd.Context(), c, keyspace, f)
	if err != nil {
		return err
	}
	counted := &countingReader{in: in}
	reader, err := f.reader(cmd, name, counted, mapping)
	if err != nil {
		return err
	}
	began := time.Now()
	wipe := func() {}
	l := load.New(load.Config{
		Write: func(ctx context.Context, writes []cairn.Write) ([]cairn.WriteOutcome, cairn.Token, error) {
			return c.BatchWrite(ctx, keyspace, writes, cairn.RequestID{})
		},
		Lanes: importLanes, Rows: importBatchRows, Bytes: importBatchBytes, Timeout: o.timeout, Patience: f.patience,
		Nodes: nodes, SkipBad: f.skipBad, File: name,
		OnBad: func(bad *records.BadRow) { note(cmd, "skipped %v", bad) },
	})
	if columns, is := terminal(cmd.ErrOrStderr()); is {
		wipe = progress.Show(cmd.ErrOrStderr(), columns, func() progress.State {
			return progress.State{Done: counted.read.Load(), Total: size, Count: l.Counts().Written, Noun: "rows"}
		})
	}
	err = l.Run(cmd.Context(), reader)
	wipe()
	return errors.Join(o.printImport(cmd, keyspace, l.Counts(), time.Since(began)), ended(err, name, l.Counts().Written))
}

// ended says how much is kept of an import that has ended early.
func ended(err error, name string, written int64) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted; what is counted is kept, and importing %s again completes it", name)
	}
	if bad, ok := errors.AsType[*records.BadRow](err); ok {
		kept := "what stands before it is imported"
		if bad.Refused {
			kept += ", and what was under way with it"
		}
		advice := "mend it and import again, or go on with --skip-bad"
		if cairn.KindOf(bad.Err) == cairn.KindExhausted {
			advice = "nothing is wrong with the row: make room and import again"
		}
		return inInput{fmt.Errorf("%w\n  %s (%s); %s", err, kept, render.Counted(written, "row", "rows"), advice)}
	}
	if cairn.KindOf(err) == cairn.KindInvalid {
		err = inInput{err}
	}
	if written == 0 {
		return err
	}
	return fmt.Errorf("after %s: %w", render.Counted(written, "row", "rows"), err)
}

func (f *importFlags) nodesPolicy() (load.Nodes, error) {
	switch f.nodes {
	case "prefer":
		return load.Prefer, nil
	case "require":
		return load.Require, nil
	case "ignore":
		return load.Ignore, nil
	case "":
		if f.node != "" {
			return load.Require, nil
		}
		return load.Prefer, nil
	}
	return 0, cairn.Invalid("--nodes", "NODES_POLICY", "%q is none of prefer, require and ignore", f.nodes)
}

// openInput opens a file or, for "-", standard input. size is 0 where nobody
// knows it.
func openInput(cmd *cobra.Command, path string) (in io.ReadCloser, name string, size int64, err error) {
	if path == "-" {
		return io.NopCloser(cmd.InOrStdin()), "standard input", 0, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, "", 0, err
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return file, path, size, nil
}

// mapping asks for the keyspace's declaration and maps its attributes to
// columns.
func (o *options) mapping(ctx context.Context, c *client.Client, keyspace string, f *importFlags) (records.Mapping, error) {
	mapping := records.Mapping{Key: f.key, KeyEncoding: o.keys, Node: f.node}
	ctx, cancel := o.within(ctx)
	defer cancel()
	declared, err := c.Admin().GetKeyspace(ctx, &cairnv1.GetKeyspaceRequest{Name: keyspaceName(keyspace)})
	if err != nil {
		return mapping, err
	}
	columns := map[string]string{}
	for _, pair := range f.attributes {
		name, column, ok := strings.Cut(pair, "=")
		if !ok || column == "" {
			return mapping, cairn.Invalid("--attribute", "ATTRIBUTE_MALFORMED", "%q does not say which column; it wants NAME=COLUMN", pair)
		}
		if _, twice := columns[name]; twice {
			return mapping, cairn.Invalid("--attribute", "ATTRIBUTE_TWICE", "%s is given two columns", name)
		}
		columns[name] = column
	}
	mapping.Attributes, err = records.NewMapping(attributeSpecs(declared), columns)
	return mapping, err
}

func (f *importFlags) reader(cmd *cobra.Command, name string, in io.Reader, mapping records.Mapping) (records.Reader, error) {
	if f.format == ndjson {
		return records.NewNDJSON(name, in, mapping), nil
	}
	reader, err := records.NewCSV(name, in, mapping)
	if err != nil {
		return nil, inHeader(err)
	}
	switch missing := reader.Missing(); len(missing) {
	case 0:
	case 1:
		note(cmd, "%s has no column %q: the attribute will be absent", name, missing[0])
	default:
		note(cmd, "%s has no columns for %s: these attributes will be absent", name, strings.Join(missing, ", "))
	}
	return reader, nil
}

// formatOf is what a file is in, by --format or else by its name.
func (f *importFlags) formatOf(path string) (string, error) {
	format := f.format
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	}
	switch format {
	case "csv":
		return csv, nil
	case "ndjson", "jsonl", "json":
		return ndjson, nil
	}
	if f.format != "" {
		return "", cairn.Invalid("--format", "FORMAT_UNKNOWN", "%q is neither csv nor ndjson", f.format)
	}
	if path == "-" {
		path = "standard input"
	}
	return "", cairn.Invalid("", "FORMAT_UNKNOWN", "%s: CSV or NDJSON? Say --format csv or --format ndjson", path)
}

// inHeader marks what is wrong with a header as the file's fault; columns that
// the flags ask for and that it does not have are the command line's.
func inHeader(err error) error {
	switch cairn.ReasonOf(err) {
	case "COLUMN_MISSING", "KEY_COLUMN_MISSING":
		return err
	}
	return inInput{err}
}

func (o *options) printImport(cmd *cobra.Command, keyspace string, counts load.Counts, took time.Duration) error {
	d := importDocument{
		Keyspace: keyspace, Imported: counts.Written, Created: counts.Created, Replaced: counts.Replaced, Placed: counts.Placed,
		Skipped: counts.Bad, Seconds: took.Seconds(), Token: counts.Token.String(),
	}
	return o.print(cmd, d, func(out io.Writer) error {
		rate := int64(float64(d.Imported) / max(d.Seconds, 0.001))
		text := fmt.Sprintf("imported %s into %s in %s (%s/s)\n%s created, %s replaced",
			render.Counted(d.Imported, "row", "rows"), keyspace, render.Duration(took), render.Count(rate), render.Count(d.Created), render.Count(d.Replaced))
		if d.Placed > 0 {
			text += fmt.Sprintf(", %s placed on other nodes than the file names", render.Count(d.Placed))
		}
		if d.Skipped > 0 {
			text += fmt.Sprintf(", %s skipped", render.Counted(d.Skipped, "bad row", "bad rows"))
		}
		_, err := fmt.Fprintln(out, text)
		return err
	})
}

// countingReader counts what has been read, for the progress bar.
type countingReader struct {
	in   io.Reader
	read atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read.Add(int64(n))
	return n, err
}
