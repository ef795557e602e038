package main

import (
	"io"

	"github.com/spf13/cobra"

	"cairn"
)

func newCompletion() *cobra.Command {
	generators := map[string]func(root *cobra.Command, out io.Writer) error{
		"bash":       func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) },
		"zsh":        func(root *cobra.Command, out io.Writer) error { return root.GenZshCompletion(out) },
		"fish":       func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) },
		"powershell": func(root *cobra.Command, out io.Writer) error { return root.GenPowerShellCompletionWithDesc(out) },
	}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print a script that completes cairn's command lines",
		Long:      "Print a script that completes cairn's command lines in a shell: bash, zsh, fish\nor powershell.",
		Example:   "  source <(cairn completion bash)",
		Args:      arguments(1, 1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			generate, ok := generators[args[0]]
			if !ok {
				return cairn.Invalid("SHELL", "SHELL_UNKNOWN", "%q is not a shell that can be completed; they are bash, zsh, fish and powershell", args[0])
			}
			return generate(cmd.Root(), cmd.OutOrStdout())
		},
	}
}
