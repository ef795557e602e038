package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cairn"
)

// readKeys reads keys from arguments, or, where an argument is "-", from
// standard input, one a line.
func (o *options) readKeys(cmd *cobra.Command, args []string) ([]cairn.Key, error) {
	var out []cairn.Key
	for _, arg := range args {
		if arg == "-" {
			lines, err := o.readLines(cmd.InOrStdin())
			if err != nil {
				return nil, err
			}
			out = append(out, lines...)
			continue
		}
		key, err := o.keys.Key(arg)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

func (o *options) readLines(in io.Reader) ([]cairn.Key, error) {
	var out []cairn.Key
	lines := bufio.NewScanner(in)
	for number := 1; lines.Scan(); number++ {
		key, err := o.keys.Key(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("standard input, line %d: %w", number, err)
		}
		out = append(out, key)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("standard input, line %d: %w", len(out)+1, cairn.Key(make([]byte, bufio.MaxScanTokenSize)).Validate())
	} else if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return out, nil
}

// keyField is a key in a document for programs.
type keyField struct {
	Key         string `json:"key"`
	KeyEncoding string `json:"key_encoding,omitempty"`
}

func (o *options) keyField(key []byte) (f keyField) {
	f.Key, f.KeyEncoding = o.keys.JSON(key)
	return f
}
