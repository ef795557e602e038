package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type moveDocument struct {
	Move       string     `json:"move"`
	Shard      string     `json:"shard"`
	From       string     `json:"from"`
	To         string     `json:"to"`
	Phase      string     `json:"phase"`
	Attempt    uint32     `json:"attempt"`
	Paused     bool       `json:"paused,omitempty"`
	Cancelling bool       `json:"cancelling,omitempty"`
	Caller     string     `json:"caller,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Problem    string     `json:"problem,omitempty"`
	Waits      string     `json:"waits,omitempty"`
	Created    time.Time  `json:"created"`
	PhaseSince time.Time  `json:"phase_since"`
	KeptUntil  *time.Time `json:"kept_until,omitempty"`
	// Entries and Total are absent where the indexes did not answer.
	Entries *uint64 `json:"entries,omitempty"`
	Total   *uint64 `json:"entries_total,omitempty"`
	// Changing is how many keys get another node.
	Changing *uint64       `json:"keys_changing_nodes,omitempty"`
	Data     *dataDocument `json:"data,omitempty"`
}

// dataDocument is how far the values behind the entries are.
type dataDocument struct {
	Values   uint64 `json:"values_copied"`
	Bytes    uint64 `json:"bytes_copied"`
	Left     uint64 `json:"values_left"`
	Complete bool   `json:"complete"`
}

func newMoveDocument(m *cairnv1.Move) moveDocument {
	d := moveDocument{
		Move: short(m.GetName()), Shard: shortShard(m.GetShard()), From: short(m.GetFrom()), To: short(m.GetTo()),
		Phase: phaseName(m.GetPhase()), Attempt: m.GetAttempt(), Paused: m.GetPaused(), Cancelling: m.GetCancelling(),
		Caller: m.GetCaller(), Reason: m.GetReason(), Problem: m.GetProblem(), Waits: m.GetWaits(),
		Created: m.GetCreateTime().AsTime(), PhaseSince: m.GetPhaseTime().AsTime(), Entries: m.Entries, Total: m.EntriesTotal, Changing: m.KeysChangingNodes,
	}
	if p := m.GetData(); p != nil {
		d.Data = &dataDocument{Values: p.GetValuesCopied(), Bytes: p.GetBytesCopied(), Left: p.GetValuesLeft(), Complete: p.GetComplete()}
	}
	if until := m.GetKeptUntil(); until != nil {
		at := until.AsTime()
		d.KeptUntil = &at
	}
	return d
}

func phaseName(p cairnv1.Move_Phase) string {
	return strings.ToLower(strings.ReplaceAll(p.String(), "_", "-"))
}

// shortShard is KEYSPACE/ID of a shard's name.
func shortShard(name string) string {
	return strings.Replace(strings.TrimPrefix(name, "keyspaces/"), "/shards/", "/", 1)
}

func newMoves(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "moves",
		Short: "List, watch, pause, cancel and reverse moves of shards",
		Args:  arguments(0, 0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMovesList(o), newMovesShow(o), newMovesWatch(o), newMovesReverse(o), newMovesLimit(o),
		newMovesChange(o, "pause", "Have a move wait where that does no harm", func(ctx context.Context, c *client.Client, name string) (*cairnv1.Move, error) {
			response, err := c.Admin().PauseMove(ctx, &cairnv1.PauseMoveRequest{Name: name})
			return response.GetMove(), err
		}),
		newMovesChange(o, "resume", "Have a paused move go on", func(ctx context.Context, c *client.Client, name string) (*cairnv1.Move, error) {
			response, err := c.Admin().ResumeMove(ctx, &cairnv1.ResumeMoveRequest{Name: name})
			return response.GetMove(), err
		}),
		newMovesChange(o, "cancel", "End a move; the shard stays where it was", func(ctx context.Context, c *client.Client, name string) (*cairnv1.Move, error) {
			response, err := c.Admin().CancelMove(ctx, &cairnv1.CancelMoveRequest{Name: name})
			return response.GetMove(), err
		}))
	return cmd
}

func newMovesList(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the moves that go on, and the last that have ended",
		Example: "  cairn moves list",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			var all []*cairnv1.Move
			for token := ""; ; {
				ctx, cancel := o.within(cmd.Context())
				page, err := c.Admin().ListMoves(ctx, &cairnv1.ListMovesRequest{PageSize: 1_000, PageToken: token})
				cancel()
				if err != nil {
					return err
				}
				all = append(all, page.GetMoves()...)
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			ctx, cancel := o.within(cmd.Context())
			defer cancel()
			settings, err := c.Admin().GetMoverSettings(ctx, &cairnv1.GetMoverSettingsRequest{})
			if err != nil {
				return err
			}
			document := newMovesDocument(all)
			document.Limits = newLimitsDocument(settings)
			if document.Limits != nil {
				note(cmd, "%s", document.Limits)
			}
			if why := settings.GetBalance().GetStopped(); why != "" {
				note(cmd, "the automatic balance has stopped: %s", why)
			}
			return o.printMoves(cmd, document, all...)
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// movesDocument is a list of moves.
type movesDocument struct {
	Moves []moveDocument `json:"moves"`
	// Limits are absent where the flags of the router decide.
	Limits *limitsDocument `json:"limits,omitempty"`
}

func newMovesDocument(all []*cairnv1.Move) movesDocument {
	d := movesDocument{Moves: make([]moveDocument, len(all))}
	for i, m := range all {
		d.Moves[i] = newMoveDocument(m)
	}
	return d
}

// printMoves prints a document, or a table of moves.
func (o *options) printMoves(cmd *cobra.Command, document any, moves ...*cairnv1.Move) error {
	return o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"MOVE", "SHARD", "FROM", "TO", "PHASE", "DONE", "NOTE"}, Right: []int{5}}
		for _, m := range moves {
			note := moveNote(m)
			if data := m.GetData(); data != nil && m.GetProblem() == "" {
				note = fmt.Sprintf("%s values copied, %s left", render.Count(data.GetValuesCopied()), render.Count(data.GetValuesLeft()))
			}
			grid.Row(short(m.GetName()), shortShard(m.GetShard()), short(m.GetFrom()), short(m.GetTo()), phaseName(m.GetPhase()), percent(m), note)
		}
		return grid.Write(out)
	})
}

// percent is how much of the entries the target has, "-" where that is not known
// or means nothing.
func percent(m *cairnv1.Move) string {
	switch {
	case m.GetPhase() == cairnv1.Move_DONE || m.GetPhase() == cairnv1.Move_COMMITTED:
		return "100%"
	case m.Entries == nil || m.EntriesTotal == nil || m.GetPhase() == cairnv1.Move_CANCELLED:
		return "-"
	case m.GetEntriesTotal() == 0:
		return "0%"
	}
	return strconv.FormatUint(min(100, 100*m.GetEntries()/m.GetEntriesTotal()), 10) + "%"
}

// moveNote is what there is to say about a move in few words.
func moveNote(m *cairnv1.Move) string {
	switch {
	case m.GetProblem() != "":
		return m.GetProblem()
	case m.GetCancelling():
		return "to be cancelled"
	case m.GetWaits() != "":
		return m.GetWaits()
	case m.GetReason() != "":
		return m.GetReason()
	}
	return "-"
}

// moveName reads a move's uid, with or without what kind of resource it is.
func moveName(text string) (string, error) {
	var uid cairn.UID
	id := strings.TrimPrefix(text, "moves/")
	if err := uid.UnmarshalText([]byte(id)); err != nil || uid.String() != id {
		return "", cairn.Invalid("move", "MOVE_MALFORMED", "%q is not a move; one looks like 00c3a1f09be24d57, and 'cairn moves list' lists them", text)
	}
	return "moves/" + id, nil
}

func newMovesShow(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show MOVE",
		Short:   "Show a move: its phase, how far it is, and what it waits for",
		Example: "  cairn moves show 00c3a1f09be24d57",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := moveName(args[0])
			if err != nil {
				return err
			}
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				move, err := c.Admin().GetMove(ctx, &cairnv1.GetMoveRequest{Name: name})
				if err != nil {
					return err
				}
				return o.printMove(cmd, move)
			})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// printMove prints all there is to know of a move.
func (o *options) printMove(cmd *cobra.Command, m *cairnv1.Move) error {
	d := newMoveDocument(m)
	return o.print(cmd, d, func(out io.Writer) error {
		grid := render.Grid{}
		row := func(name, value string) {
			if value != "" {
				grid.Row(name, value)
			}
		}
		row("move", d.Move)
		row("shard", d.Shard)
		row("from", d.From)
		row("to", d.To)
		row("phase", d.Phase+" since "+d.PhaseSince.Format(time.RFC3339))
		row("entries", entriesOf(m, time.Now()))
		row("problem", d.Problem)
		row("waits", d.Waits)
		if d.KeptUntil != nil {
			row("kept", "by "+d.From+" until "+d.KeptUntil.Format(time.RFC3339))
		}
		if d.Attempt > 1 {
			row("attempt", strconv.Itoa(int(d.Attempt)))
		}
		row("created", strings.TrimSpace(d.Created.Format(time.RFC3339)+" by "+d.Caller))
		row("reason", d.Reason)
		return grid.Write(out)
	})
}

// entriesOf is how many entries the target has, of how many, and while they are
// copied how fast they come and for how long yet.
func entriesOf(m *cairnv1.Move, now time.Time) string {
	if m.Entries == nil || m.EntriesTotal == nil {
		return ""
	}
	text := fmt.Sprintf("%s of %s", render.Count(m.GetEntries()), render.Count(m.GetEntriesTotal()))
	elapsed := now.Sub(m.GetPhaseTime().AsTime())
	if m.GetPhase() != cairnv1.Move_COPYING || m.GetPaused() || m.GetEntries() == 0 || elapsed <= 0 {
		return text
	}
	rate := float64(m.GetEntries()) / elapsed.Seconds()
	left := time.Duration((float64(m.GetEntriesTotal()) - float64(m.GetEntries())) / rate * float64(time.Second))
	return text + fmt.Sprintf(", %s/s, %s left", render.Count(uint64(rate)), max(0, left).Round(time.Second))
}

func newMovesChange(o *options, verb, does string, change func(ctx context.Context, c *client.Client, name string) (*cairnv1.Move, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:     verb + " MOVE",
		Short:   does,
		Example: "  cairn moves " + verb + " 00c3a1f09be24d57",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := moveName(args[0])
			if err != nil {
				return err
			}
			return o.changeMove(cmd, false, func(ctx context.Context, c *client.Client) (*cairnv1.Move, error) {
				return change(ctx, c, name)
			})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

// changeMove begins or changes a move, and prints it or watches it to its end.
func (o *options) changeMove(cmd *cobra.Command, watch bool, change func(ctx context.Context, c *client.Client) (*cairnv1.Move, error)) error {
	var move *cairnv1.Move
	err := o.asking(cmd, func(ctx context.Context, c *client.Client) (err error) {
		move, err = change(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	if watch {
		return o.watchMove(cmd, move.GetName())
	}
	return o.printMoves(cmd, newMoveDocument(move), move)
}
