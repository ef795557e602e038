package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/cmd/daemon"
)

type recoveredDocument struct {
	restoredDocument
	From string `json:"from"`
	// CheckpointIndex is what the index's file had, LogEntries how many entries
	// of the log came on top.
	CheckpointIndex uint64 `json:"checkpoint_index"`
	LogEntries      int    `json:"log_entries"`
}

func newRecoverIndex(o *options) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "index DIR NEWDIR",
		Short: "Make an index out of one surviving replica's directory",
		Long: `For an index that has lost the majority of its replicas, disks included. Make
NEWDIR out of DIR, the data directory of one that is left and does not run: its
index and all of its log. DIR stays as it is.

THIS LOSES DATA. A majority acknowledges writes, and one replica alone can't know
what it lacks. What others acknowledged and DIR never got is lost; reads with
tokens of it fail with DATA_LOSS. The last entries of DIR may never have been
acknowledged; they count from now on. This command says how far DIR goes before
anything counts, and asks. Where several replicas are left, ask for each, answer
no, and take the one that goes furthest.

NEWDIR is served as what 'cairn restore' makes is: with 'cairn index --restored'.`,
		Example: "  cairn recover index /var/lib/cairn/north /var/lib/cairn/north-recovered",
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.recoverIndex(cmd, args[0], args[1], yes)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (o *options) recoverIndex(cmd *cobra.Command, from, dir string, yes bool) error {
	recovered, err := daemon.RecoverIndex(from, dir, func(r daemon.Recovered) error {
		note(cmd, `%s has the index of cluster %s up to log index %d, with %s:
its file ends with log index %d, and %s of its log came on top.
What can't be known from here: how much more the other replicas had acknowledged,
all of which is lost; and whether the last entries were ever acknowledged.`,
			from, r.Cluster, r.Last, render.Counted(r.Report.Entries, "entry", "entries"), r.Checkpoint,
			render.Counted(r.Recovered.Entries, "command", "commands"))
		if yes {
			return nil
		}
		return askYes(cmd, "Go on with this, and give the rest up? [yes/no] ")
	})
	if err != nil {
		return err
	}
	d := recoveredDocument{
		restoredDocument: restoredDocumentOf(dir, recovered.Restored),
		From:             from, CheckpointIndex: recovered.Checkpoint, LogEntries: recovered.Recovered.Entries,
	}
	return o.print(cmd, d, func(out io.Writer) error { return d.table(out, "recovered") })
}

// askYes asks a question that only the whole word agrees to.
func askYes(cmd *cobra.Command, question string) error {
	fmt.Fprint(cmd.ErrOrStderr(), question)
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(answer) == "yes" {
		return nil
	}
	if err != nil {
		note(cmd, "")
	}
	return cairn.Errorf(cairn.KindPrecondition, "NOT_CONFIRMED", "nothing was done: the answer was not yes; to go on without being asked, say --yes")
}
