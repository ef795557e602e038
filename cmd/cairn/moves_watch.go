package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/progress"
	cairnv1 "cairn/proto/cairn/v1"
)

func newMovesWatch(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch MOVE",
		Short: "Watch a move to its end",
		Long: `Watch a move to its end: each phase on a line, on a terminal with a bar that
says how many entries the target has, how fast they come, and for how long yet.
Exit code 3 if the move is cancelled. Ending the watch does not end the move.`,
		Example: "  cairn moves watch 00c3a1f09be24d57",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := moveName(args[0])
			if err != nil {
				return err
			}
			return o.watchMove(cmd, name)
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// movePause is how often a move is looked at.
const movePause = 200 * time.Millisecond

// watchMove shows how a move goes on until it has ended, and the move then.
func (o *options) watchMove(cmd *cobra.Command, name string) error {
	move, err := o.endOfMove(cmd, name)
	if err != nil {
		return err
	}
	return o.printMoves(cmd, newMoveDocument(move), move)
}

// endOfMove shows how a move goes on until it has ended, and returns it. One that
// is cancelled is KindPrecondition (MOVE_CANCELLED).
func (o *options) endOfMove(cmd *cobra.Command, name string) (*cairnv1.Move, error) {
	c, err := o.connect()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	watched := &watchedMove{}
	defer func() { watched.wipe() }()
	for said := ""; ; {
		ctx, cancel := o.within(cmd.Context())
		move, err := c.Admin().GetMove(ctx, &cairnv1.GetMoveRequest{Name: name})
		cancel()
		if err != nil {
			return nil, err
		}
		if line := describeMove(move); line != said {
			watched.wipe()
			note(cmd, "%s", line)
			said = line
		}
		switch move.GetPhase() {
		case cairnv1.Move_DONE:
			return move, nil
		case cairnv1.Move_CANCELLED:
			watched.wipe()
			if within(move) {
				return nil, cairn.Errorf(cairn.KindPrecondition, "MOVE_CANCELLED", "the move was cancelled, and the keys keep their nodes: %s", moveNote(move))
			}
			return nil, cairn.Errorf(cairn.KindPrecondition, "MOVE_CANCELLED", "the move was cancelled, and the shard stays with %s: %s", short(move.GetFrom()), moveNote(move))
		}
		watched.show(cmd, move)
		select {
		case <-time.After(movePause):
		case <-cmd.Context().Done():
			return nil, errors.New("not watched any longer; the move goes on")
		}
	}
}

// within tells whether a move is of keys among the nodes of one cluster.
func within(m *cairnv1.Move) bool { return m.GetFrom() == m.GetTo() }

// describeMove is a move's phase in a line, and what it waits for.
func describeMove(m *cairnv1.Move) string {
	where := "to "
	if within(m) {
		where = "among the nodes of "
	}
	line := fmt.Sprintf("%s of %s %s: %s", short(m.GetName()), shortShard(m.GetShard()), where+short(m.GetTo()), phaseName(m.GetPhase()))
	if m.GetPhase() == cairnv1.Move_COPYING && m.GetEntries() > 0 && m.GetEntriesTotal() > 0 {
		// In tens, so that a line comes now and then and not at every look.
		line += fmt.Sprintf(", %d%%", 10*min(10, 10*m.GetEntries()/m.GetEntriesTotal()))
	}
	if what := moveNote(m); what != "-" && what != m.GetReason() {
		line += " (" + what + ")"
	}
	return line
}

// watchedMove is the bar of a move on a terminal, while there is one.
type watchedMove struct {
	mu    sync.Mutex // guards state
	state progress.State
	stop  func() // nil while there is no bar
}

func (w *watchedMove) show(cmd *cobra.Command, m *cairnv1.Move) {
	columns, is := terminal(cmd.ErrOrStderr())
	if !is || m.Entries == nil || m.EntriesTotal == nil {
		return
	}
	w.mu.Lock()
	w.state = progress.State{Done: int64(m.GetEntries()), Total: int64(m.GetEntriesTotal()), Count: int64(m.GetEntries()), Noun: "entries"}
	w.mu.Unlock()
	if w.stop == nil {
		w.stop = progress.Show(cmd.ErrOrStderr(), columns, func() progress.State {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.state
		})
	}
}

func (w *watchedMove) wipe() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}
