package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
)

type removeDocument struct {
	Results []removedDocument `json:"results"`
	Token   string            `json:"token"`
}

type removedDocument struct {
	keyField
	Found bool         `json:"found"`
	Error *errorFields `json:"error,omitempty"`
}

func newRemove(o *options) *cobra.Command {
	var ifVersion string
	cmd := &cobra.Command{
		Use:   "rm KEYSPACE KEY...",
		Short: "Remove entries",
		Long: `Remove entries. If a key had no entry the exit code is 4, with the others
removed all the same. "-" reads keys from standard input, one a line.`,
		Example: `  cairn rm runways 252159
  cairn rm runways 252159 --if-version 12.340.0`,
		Args: arguments(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := o.readKeys(cmd, args[1:])
			if err != nil {
				return err
			}
			only, err := (&condition{ifVersion: ifVersion}).read()
			if err != nil {
				return err
			}
			if only.Present && len(keys) != 1 {
				return cairn.Invalid("--if-version", "IF_VERSION_KEYS", "is for one key, and there are %d", len(keys))
			}
			return o.remove(cmd, args[0], keys, only)
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.Flags().StringVar(&ifVersion, "if-version", "", "only if the entry's `VERSION` is this one, as in 12.340.0 (else exit code 3)")
	return cmd
}

func (o *options) remove(cmd *cobra.Command, keyspace string, keys []cairn.Key, only cairn.Condition) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	document := removeDocument{Results: make([]removedDocument, 0, len(keys))}
	var token cairn.Token
	code := exitOK
	for batch := range slices.Chunk(keys, locateBatch) {
		writes := make([]cairn.Write, len(batch))
		for i, key := range batch {
			writes[i] = cairn.Write{Operation: cairn.Delete, Key: key, Condition: only}
		}
		ctx, cancel := o.within(cmd.Context())
		outcomes, at, err := c.BatchWrite(ctx, keyspace, writes, cairn.RequestID{})
		cancel()
		if err != nil {
			return err
		}
		token = token.Merge(at)
		for i, outcome := range outcomes {
			document.Results = append(document.Results, removedDocument{keyField: o.keyField(batch[i]), Found: outcome.Existed, Error: errorOf(outcome.Err)})
			switch {
			case outcome.Err != nil:
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), outcome.Err)
				code = codeOf(outcome.Err)
			case !outcome.Existed && code == exitOK:
				code = exitNotFound
			}
		}
	}
	document.Token = token.String()
	err = o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"KEY", "RESULT"}}
		for i, r := range document.Results {
			what := "removed"
			if r.Error != nil {
				what = "error: " + r.Error.Kind
			} else if !r.Found {
				what = "not found"
			}
			grid.Row(o.keys.Text(keys[i]), what)
		}
		return grid.Write(out)
	})
	if err == nil && code != exitOK {
		err = exit{code}
	}
	return err
}
