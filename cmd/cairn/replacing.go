package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// replacement is a file that takes another's place when it is whole.
type replacement struct {
	*bufio.Writer
	path string
	// file is nil for standard output, for nothing, and once it is in place.
	file *os.File
}

// replaceFile begins a file beside the one of a path, "-" for standard output,
// or takes what is written and drops it for no path at all.
func replaceFile(cmd *cobra.Command, path string) (*replacement, error) {
	switch path {
	case "":
		return &replacement{Writer: bufio.NewWriter(io.Discard)}, nil
	case "-":
		return &replacement{Writer: bufio.NewWriter(cmd.OutOrStdout())}, nil
	}
	// Not os.CreateTemp, whose files are their owner's alone. No other process
	// that lives has this one's number.
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	return &replacement{Writer: bufio.NewWriterSize(file, 1<<16), path: path, file: file}, nil
}

// replace puts the file in its place, durably.
func (r *replacement) replace() error {
	if err := r.Flush(); err != nil || r.file == nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(r.file.Name(), r.path); err != nil {
		return err
	}
	file := r.file
	r.file = nil
	if err := file.Close(); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(r.path))
}

// temporary is what the file is called until it is in its place.
func (r *replacement) temporary() string { return r.file.Name() }

// syncDirectory makes the names in a directory durable.
func syncDirectory(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// abandon removes a file that is not in its place.
func (r *replacement) abandon() {
	if r.file == nil {
		return
	}
	_ = r.file.Close() // it goes anyway
	_ = os.Remove(r.file.Name())
	r.file = nil
}
