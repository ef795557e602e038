package main

import (
	"context"
	"fmt"
	"io"

	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

type countDocument struct {
	Count uint64 `json:"count"`
	scatteredFields
}

func (q *query) askCount(ctx context.Context, c *client.Client) (answered, error) {
	count, err := c.CountView(ctx, q.selection())
	if err != nil {
		return answered{}, err
	}
	return answered{
		document: countDocument{count.Count, scatteredOf(count.Scattered)}, content: count.Count,
		token: count.Token, missing: count.Missing,
		table: func(out io.Writer) error {
			_, err := fmt.Fprintln(out, render.Count(count.Count))
			return err
		},
	}, nil
}
