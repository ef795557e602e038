package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/router/client"
)

// This file is how plans come from a router, go to it, and are kept in files.

// planPiece is how much of a plan is sent at once, in bytes.
const planPiece = 256 << 10

// planPieces is a plan on its way from a router.
type planPieces[Piece interface{ GetData() []byte }] interface {
	Recv() (Piece, error)
}

// askForPlan asks a router for a plan and receives it as a whole, or fails.
func askForPlan[Piece interface{ GetData() []byte }, Plan any](o *options, cmd *cobra.Command,
	open func(context.Context, cairnv1.AdminClient) (planPieces[Piece], error), read func(io.Reader) (*Plan, error),
) (made *Plan, err error) {
	err = o.asking(cmd, func(ctx context.Context, c *client.Client) error {
		stream, err := open(ctx, c.Admin())
		if err != nil {
			return err
		}
		file := new(bytes.Buffer)
		for {
			piece, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return rpcerr.From("", err)
			}
			file.Write(piece.GetData())
		}
		made, err = read(file)
		return err
	})
	return made, err
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
