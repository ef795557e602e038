package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// usage prints a command's usage as cobra does, its flags wrapped to the
// terminal.
func usage(cmd *cobra.Command) error {
	out := cmd.OutOrStderr()
	columns, is := terminal(out)
	if !is {
		columns = 80
	}
	var text strings.Builder
	if cmd.Runnable() {
		section(&text, "Usage", "  "+cmd.UseLine()+"\n")
	}
	if cmd.HasAvailableSubCommands() {
		if !cmd.Runnable() {
			section(&text, "Usage", "  "+cmd.CommandPath()+" COMMAND\n")
		}
		listed(&text, cmd)
	}
	if cmd.HasExample() {
		section(&text, "Examples", cmd.Example+"\n")
	}
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() {
		section(&text, "Flags", flags.FlagUsagesWrapped(columns))
	}
	if flags := cmd.InheritedFlags(); flags.HasAvailableFlags() {
		section(&text, "Global flags", flags.FlagUsagesWrapped(columns))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "\n'%s COMMAND --help' tells more about a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(out, strings.TrimPrefix(text.String(), "\n"))
	return err
}

// listed prints what a command's own commands are for, by group.
func listed(text *strings.Builder, cmd *cobra.Command) {
	group := func(title, id string) {
		var lines strings.Builder
		for _, c := range cmd.Commands() {
			if c.GroupID == id && c.IsAvailableCommand() {
				fmt.Fprintf(&lines, "  %-12s%s\n", c.Name(), c.Short)
			}
		}
		if lines.Len() > 0 {
			section(text, title, lines.String())
		}
	}
	for _, g := range cmd.Groups() {
		group(strings.TrimSuffix(g.Title, ":"), g.ID)
	}
	if cmd.HasParent() {
		group("Commands", "")
	} else {
		group("Other", "")
	}
}

func section(text *strings.Builder, title, body string) {
	fmt.Fprintf(text, "\n%s:\n%s", title, body)
}

// newHelp is 'cairn help', which refuses what is no command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Tell about a command",
		Args:  cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			at, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			for _, c := range at.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil {
				return usageError{err}
			}
			if len(rest) > 0 {
				return usageError{fmt.Errorf("'%s' has no command %q", of.CommandPath(), rest[0])}
			}
			return of.Help()
		},
	}
}
