package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cairn/cmd/cairn/keytext"
	"cairn/cmd/cairn/render"
	"cairn/cmd/secure"
)

// options are the flags that verbs share.
type options struct {
	output  render.Format
	keys    keytext.Encoding
	addr    string
	tls     secure.Files
	timeout time.Duration
	// begun tells that the command line was understood: what goes wrong from
	// then on is no error of usage by itself.
	begun bool
}

const (
	groupServe   = "serve"
	groupDeclare = "declare"
	groupEntries = "entries"
	groupLook    = "look"
	groupKeep    = "keep"
	groupStart   = "start"
)

func newRoot() (*cobra.Command, *options) {
	o := &options{}
	root := &cobra.Command{
		Use:   "cairn",
		Short: "Where does key K live?",
		Long: `Cairn answers where keys live in a fleet of database clusters.

'cairn demo' is a guided tour. 'cairn dev --data DIR' is a stack to work with,
which the other commands ask from another shell.

Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 a precondition failed, 4 something
was not found, 5 unavailable. 'diff' has those of diff(1): 0 same, 1 different,
2 error.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.Version = builtFrom().String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageFunc(usage)
	root.PersistentFlags().VarP(&o.output, "output", "o", "format of the results")
	must(root.RegisterFlagCompletionFunc("output", words(render.FormatNames()...)))
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "To begin with:"},
		&cobra.Group{ID: groupEntries, Title: "Entries:"},
		&cobra.Group{ID: groupDeclare, Title: "Keyspaces, clusters and views:"},
		&cobra.Group{ID: groupLook, Title: "Looking inside:"},
		&cobra.Group{ID: groupKeep, Title: "Files and backups:"},
		&cobra.Group{ID: groupServe, Title: "Servers:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupStart, newDemo(), newDev())
	add(groupEntries, newLocate(o), newQuery(o), newPut(o), newRemove(o), newImport(o), newExport(o), newWatch(o))
	add(groupDeclare, newApply(o), newDiff(o), newGet(o), newDelete(o))
	add(groupLook, newExplain(o), newShards(o), newMove(o), newMoves(o), newRebalance(o), newDrain(o), newNode(o), newBalance(o), newVerify(o), newView(o), newTop(o))
	add(groupKeep, newBackup(o), newRestore(o), newRecover(o), newCheck(o), newCompact(o))
	add(groupServe, newRouter(), newIndex(), newCluster(o))
	root.AddCommand(newVersion(o), newCompletion())
	root.SetHelpCommand(newHelp())
	begin(root, o)
	return root, o
}

// begin notes when a command line was understood, which is when its verb is
// run: no hook of cobra's comes after all checks of flags.
func begin(cmd *cobra.Command, o *options) {
	if verb := cmd.RunE; verb != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			o.begun = true
			return verb(cmd, args)
		}
	}
	for _, c := range cmd.Commands() {
		begin(c, o)
	}
}

// must is for what can only fail by a mistake in this package.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func words(of ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)
}

// arguments checks how many there are, and says what they are if there are
// too few or too many. most below 0 means any number.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		if most == 0 {
			return fmt.Errorf("takes no arguments; got %q", args)
		}
		_, wanted, _ := strings.Cut(cmd.Use, " ")
		return fmt.Errorf("wants %s; got %s", wanted, render.Counted(len(args), "argument", "arguments"))
	}
}

// flagError says which flag an error, if any, is about.
func flagError(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--%s: %w", flag, err)
}

// keyFlag gives a verb that reads or prints keys its --key-encoding.
func keyFlag(cmd *cobra.Command, o *options) {
	cmd.Flags().Var(&o.keys, "key-encoding", "how keys are spelled in input and output")
	must(cmd.RegisterFlagCompletionFunc("key-encoding", words(keytext.Names()...)))
}

// print prints a verb's result.
func (o *options) print(cmd *cobra.Command, document any, table func(io.Writer) error) error {
	return render.Write(cmd.OutOrStdout(), o.output, document, table)
}

// note says something beside the result.
func note(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

// terminal reports whether a stream is one, and how wide.
func terminal(stream any) (columns int, is bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	return columns, err == nil
}
