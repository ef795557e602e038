package main

import (
	"bytes"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"cairn/proto/rpcerr"
)

// This file is how plans come from a router, go to it, and are kept in files.

// planPiece is how much of a plan is sent at once, in bytes.
const planPiece = 256 << 10

// receivePlan joins the pieces that a plan comes in.
func receivePlan(next func() ([]byte, error)) (*bytes.Buffer, error) {
	file := new(bytes.Buffer)
	for {
		data, err := next()
		if errors.Is(err, io.EOF) {
			return file, nil
		}
		if err != nil {
			return nil, rpcerr.From("", err)
		}
		file.Write(data)
	}
}

// sendPlan sends a plan in pieces, for as long as they are taken: whoever takes no more
// has the reason in its answer.
func sendPlan(file *bytes.Buffer, send func(data []byte) error) {
	for file.Len() > 0 {
		if err := send(file.Next(planPiece)); err != nil {
			return
		}
	}
}

// keepPlan writes a plan to a file, if it is to be kept in one, and tells whether that
// is standard output.
func keepPlan(cmd *cobra.Command, path string, write func(io.Writer) error) (printed bool, err error) {
	if path == "" {
		return false, nil
	}
	file, err := replaceFile(cmd, path)
	if err != nil {
		return false, err
	}
	defer file.abandon()
	if err := write(file); err != nil {
		return false, err
	}
	return path == "-", file.replace()
}
