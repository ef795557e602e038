package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type balanceDocument struct {
	On    bool       `json:"on"`
	Share float64    `json:"share,omitempty"`
	Moves int32      `json:"moves,omitempty"`
	By    string     `json:"by,omitempty"`
	Every string     `json:"every,omitempty"`
	Round *time.Time `json:"last_round,omitempty"`
	// Stopped is why it has stopped by itself.
	Stopped string `json:"stopped,omitempty"`
}

func newBalance(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "Have clusters be evened out by themselves, or not",
		Long: `Have the router that carries moves out plan and carry out a rebalance now and then,
as by 'cairn rebalance'. It is off until it is switched on. A round begins when the
moves of the one before are at an end, and not too soon after it; the first of its
moves that is cancelled, whoever cancels it, stops the balance until it is switched on
again.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBalanceOn(o), newBalanceOff(o), newBalanceStatus(o))
	return cmd
}

func newBalanceOn(o *options) *cobra.Command {
	var every time.Duration
	balance := &cairnv1.Balance{On: true}
	cmd := &cobra.Command{
		Use:     "on",
		Short:   "Even clusters out from now on",
		Example: "  cairn balance on --moves 10 --every 30m",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("moves") && balance.Moves < 1 {
				return cairn.Invalid("moves", "SETTING_OUT_OF_RANGE", "%d; it is at least 1", balance.Moves)
			}
			balance.Every = durationpb.New(every)
			return o.setBalance(cmd, balance)
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().Float64Var(&balance.Share, "share", 0.09, "the most of a keyspace's entries that a round moves")
	cmd.Flags().Int32Var(&balance.Moves, "moves", 0, "the most moves of a round (default any number)")
	cmd.Flags().StringVar(&balance.By, "by", "entries", "what is evened out: entries, or load, which is reads and writes a second")
	cmd.Flags().DurationVar(&every, "every", 10*time.Minute, "how long after the beginning of a round the next one is")
	return cmd
}

func newBalanceOff(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "off",
		Short:   "Begin no more rounds; moves that have begun go on",
		Example: "  cairn balance off",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.setBalance(cmd, &cairnv1.Balance{})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

func newBalanceStatus(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show whether clusters are evened out by themselves, and why not",
		Example: "  cairn balance status",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
				settings, err := c.Admin().GetMoverSettings(ctx, &cairnv1.GetMoverSettingsRequest{})
				if err != nil {
					return err
				}
				return o.printBalance(cmd, settings.GetBalance())
			})
		},
	}
	clientFlags(cmd, o)
	return cmd
}

func (o *options) setBalance(cmd *cobra.Command, balance *cairnv1.Balance) error {
	return o.asking(cmd, func(ctx context.Context, c *client.Client) error {
		response, err := c.Admin().SetBalance(ctx, &cairnv1.SetBalanceRequest{Balance: balance})
		if err != nil {
			return err
		}
		return o.printBalance(cmd, response.GetSettings().GetBalance())
	})
}

func (o *options) printBalance(cmd *cobra.Command, b *cairnv1.Balance) error {
	d := balanceDocument{On: b.GetOn(), Stopped: b.GetStopped()}
	if d.On {
		d.By, d.Share, d.Moves, d.Every = b.GetBy(), b.GetShare(), b.GetMoves(), b.GetEvery().AsDuration().String()
	}
	if at := b.GetRoundTime(); at != nil {
		round := at.AsTime()
		d.Round = &round
	}
	return o.print(cmd, d, func(out io.Writer) error {
		grid := render.Grid{}
		switch {
		case d.Stopped != "":
			grid.Row("balance", "stopped: "+d.Stopped)
		case d.On:
			grid.Row("balance", "on")
		default:
			grid.Row("balance", "off")
		}
		if d.On {
			grid.Row("by", d.By)
			grid.Row("every", d.Every)
			grid.Row("share", strconv.FormatFloat(d.Share, 'g', -1, 64)+" of a keyspace")
			if d.Moves > 0 {
				grid.Row("moves", strconv.Itoa(int(d.Moves))+" at most")
			}
		}
		if d.Round != nil {
			grid.Row("last round", d.Round.Format(time.RFC3339))
		}
		return grid.Write(out)
	})
}
