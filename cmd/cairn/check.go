package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/nodeindex"
)

type checkDocument struct {
	Files []checkedDocument `json:"files"`
}

type checkedDocument struct {
	Path        string `json:"path"`
	Result      string `json:"result"` // "clean", "DAMAGED", "image damaged" or "in use"
	Clean       bool   `json:"clean"`
	Bytes       int64  `json:"bytes"`
	Index       uint64 `json:"index"`
	MapRevision uint64 `json:"map_revision"`
	Keyspaces   int    `json:"keyspaces"`
	Shards      int    `json:"shards"`
	Entries     uint64 `json:"entries"`
	Departed    uint64 `json:"departed"`
	// Images of views that were read, and those that are not there.
	Images        int `json:"images"`
	ImagesMissing int `json:"images_missing"`
	// Backup is there for a backup.
	Backup *checkedBackup `json:"backup,omitempty"`
	// Lost are the log indexes whose writes a restore has lost.
	Lost     []lostDocument `json:"lost,omitempty"`
	Problems []string       `json:"problems"`
	// ProblemCount may be more than are spelled out.
	ProblemCount int `json:"problem_count"`
}

type checkedBackup struct {
	Cluster string    `json:"cluster"`
	UID     cairn.UID `json:"uid"`
	Time    time.Time `json:"time"`
}

type lostDocument struct {
	After  uint64 `json:"after"`
	Before uint64 `json:"before"`
}

func newCheck(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR|FILE",
		Short: "Check index files that no server has open, and backups",
		Long: `Check every index file below DIR, the data directory of an index server or of a
development stack that is not running, or one file, which may be a backup: its
checksums, the structure of the file, that all it holds agrees, and the images of
views beside it. Nothing is changed. If something is wrong the exit code is 1.

A file holds what was applied up to its log index. What came later is in the log
beside it, is not counted here, and is applied again when the index starts.`,
		Example: "  cairn check ./stack\n  cairn check north.backup",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := indexFiles(args[0])
			if err != nil {
				return err
			}
			return o.check(cmd, files)
		},
	}
}

// indexFiles are the index files at or below a path, in order.
func indexFiles(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (entry.Name() == nodeindex.FileName || path == dir) {
			files = append(files, path)
		}
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cairn.Errorf(cairn.KindNotFound, "DIR_NOT_FOUND", "there is no %s", dir)
	case err != nil:
		return nil, err
	case len(files) == 0:
		return nil, cairn.Errorf(cairn.KindNotFound, "INDEX_FILE_NOT_FOUND", "there is no index file (%s) below %s; name the data directory of an index server or of a development stack", nodeindex.FileName, dir)
	}
	slices.Sort(files)
	return files, nil
}

// check checks all files, whatever is wrong with some, and prints what it
// found. How many are not clean, and why, is told once all are printed.
func (o *options) check(cmd *cobra.Command, files []string) error {
	document := checkDocument{Files: make([]checkedDocument, 0, len(files))}
	var failed []error
	for _, path := range files {
		report, err := nodeindex.Check(path)
		if err != nil {
			failed = append(failed, err)
		}
		document.Files = append(document.Files, checked(path, report, err))
	}
	err := o.print(cmd, document, func(out io.Writer) error { return checkTable(out, document) })
	if err != nil {
		return err
	}
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0]
	}
	return fmt.Errorf("%d of %d files are not clean; the first: %w", len(failed), len(files), failed[0])
}

func checked(path string, report *nodeindex.Report, err error) checkedDocument {
	d := checkedDocument{Path: path, Result: checkResult(err), Clean: err == nil, Problems: []string{}}
	if report != nil {
		d.Bytes, d.Index, d.MapRevision = report.FileBytes, report.Index, report.Revision
		d.Keyspaces, d.Shards, d.Entries, d.Departed = report.Keyspaces, report.Shards, report.Entries, report.Departed
		if b := report.Backup; b != nil {
			d.Backup = &checkedBackup{b.Cluster, b.UID, b.Time}
		}
		for _, gap := range report.Lost {
			d.Lost = append(d.Lost, lostDocument{After: gap.From, Before: gap.To})
		}
		d.Images, d.ImagesMissing = report.Images, report.ImagesMissing
		d.Problems, d.ProblemCount = append(d.Problems, report.Problems...), report.ProblemCount
	}
	if err != nil && d.ProblemCount == 0 {
		d.Problems, d.ProblemCount = append(d.Problems, err.Error()), 1
	}
	return d
}

func checkResult(err error) string {
	switch {
	case err == nil:
		return "clean"
	case cairn.ReasonOf(err) == "DATA_DIR_IN_USE":
		return "in use"
	case cairn.ReasonOf(err) == "CHECK_FAILED_IMAGE":
		return "image damaged"
	}
	return "DAMAGED"
}

func checkTable(out io.Writer, document checkDocument) error {
	grid := render.Grid{Header: []string{"FILE", "RESULT", "ENTRIES", "SHARDS", "LOG INDEX", "BYTES"}, Right: []int{2, 3, 4, 5}}
	for _, d := range document.Files {
		if d.Bytes == 0 { // it could not be looked at
			grid.Row(d.Path, d.Result, "-", "-", "-", "-")
			continue
		}
		grid.Row(d.Path, d.Result, render.Count(d.Entries), render.Count(d.Shards), render.Count(d.Index), render.Count(d.Bytes))
	}
	if err := grid.Write(out); err != nil {
		return err
	}
	for _, d := range document.Files {
		if err := checkNotes(out, &d); err != nil {
			return err
		}
		if d.ProblemCount == 1 {
			continue // it is what the error says
		}
		for _, problem := range d.Problems {
			if _, err := fmt.Fprintf(out, "%s: %s\n", d.Path, problem); err != nil {
				return err
			}
		}
		if more := d.ProblemCount - len(d.Problems); more > 0 {
			if _, err := fmt.Fprintf(out, "%s: and %s\n", d.Path, render.Counted(more, "more problem", "more problems")); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNotes tells what else is to be known of a file.
func checkNotes(out io.Writer, d *checkedDocument) error {
	if b := d.Backup; b != nil {
		if _, err := fmt.Fprintf(out, "%s: a backup of cluster %s, made %s\n", d.Path, b.Cluster, b.Time.UTC().Format(time.RFC3339)); err != nil {
			return err
		}
	}
	for _, lost := range d.Lost {
		if _, err := fmt.Fprintf(out, "%s: was restored; writes after log index %d, before %d, are lost\n", d.Path, lost.After, lost.Before); err != nil {
			return err
		}
	}
	return nil
}
