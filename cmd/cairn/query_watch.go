package main

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

const (
	// watchPause keeps a keyspace with many writes from being asked about more
	// than twice a second.
	watchPause = 500 * time.Millisecond
	// watchIdle is after how long an answer is asked for anew with no change:
	// another version of the view may serve by then, and now is another time.
	watchIdle = 5 * time.Second
)

// follow prints the answer again and again: whenever it has changed.
func (q *query) follow(cmd *cobra.Command, c *client.Client) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	looking, done := q.within(ctx)
	view, err := c.Admin().GetView(looking, &cairnv1.GetViewRequest{Name: viewName(q.view)})
	done()
	if err != nil {
		return err
	}
	changes, listening := make(chan cairn.Token, 1), make(chan struct{})
	var ended error
	go func() {
		defer close(listening)
		ended = q.listen(ctx, cmd, c, short(view.GetKeyspace()), changes)
	}()
	defer func() {
		cancel()
		<-listening
	}()
	var before *answered
	for {
		select {
		case token := <-changes:
			q.since(token)
		case <-time.After(watchIdle):
		case <-listening:
			if cmd.Context().Err() != nil {
				return nil
			}
			return ended
		}
		now, err := q.ask(ctx, c)
		switch {
		case ctx.Err() != nil:
		case before != nil && err != nil && codeOf(err) == exitUnavailable:
			note(cmd, "%v; asking again", err)
		case err != nil:
			return err
		case before == nil || !before.same(now):
			if err := q.printAgain(cmd, now); err != nil {
				return err
			}
			before = &now
		}
		sleep(ctx, watchPause)
	}
}

// listen sends the token of each change to the keyspace. One that nobody has
// taken yet is joined with the next.
func (q *query) listen(ctx context.Context, cmd *cobra.Command, c *client.Client, keyspace string, changes chan cairn.Token) error {
	for {
		err := q.following(ctx, cmd, c, keyspace, cairn.Token{}, false, func(batch cairn.Changes) error {
			token := batch.Token
			select {
			case untaken := <-changes:
				token = token.Merge(untaken)
			default:
			}
			changes <- token
			return nil
		})
		// Who fell behind what is kept begins anew: it is only the present
		// answer that counts.
		if cairn.KindOf(err) != cairn.KindCompacted {
			return err
		}
	}
}

// since makes the next answer cover a change.
func (q *query) since(token cairn.Token) {
	if q.reading.Level != cairn.Linearizable {
		q.reading = cairn.Freshness{Level: cairn.AtLeast, Token: q.reading.Token.Merge(token)}
	}
}

// same tells whether two answers say the same.
func (a *answered) same(b answered) bool {
	if len(a.missing) != len(b.missing) || (a.next == "") != (b.next == "") {
		return false
	}
	for i := range a.missing {
		if a.missing[i].Cluster != b.missing[i].Cluster {
			return false
		}
	}
	return reflect.DeepEqual(a.content, b.content)
}

// printAgain prints an answer after others: for programs a line or a document
// of a stream, for people where the last one stood, or under it where that is
// no terminal.
func (q *query) printAgain(cmd *cobra.Command, a answered) error {
	out := cmd.OutOrStdout()
	if q.output != render.Table {
		noteMissing(cmd, a.missing)
		return render.Line(out, q.output, a.document)
	}
	var screen bytes.Buffer
	fmt.Fprintf(&screen, "%s at %s\n", q.view, time.Now().Format("15:04:05.000"))
	if err := a.table(&screen); err != nil {
		return err
	}
	if err := redraw(out, screen.String()); err != nil {
		return err
	}
	noteMissing(cmd, a.missing)
	return nil
}
