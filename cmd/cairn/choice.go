package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
)

// nodeRules are the rules by which a node is chosen, as flags spell them.
var nodeRules = []string{"primary", "nearest", "any"}

// ruleFlag is a flag that takes a rule.
type ruleFlag cairn.NodeRule

func (r *ruleFlag) String() string {
	if *r == 0 {
		return ""
	}
	return nodeRules[*r-1]
}

func (r *ruleFlag) Set(text string) error {
	at := slices.Index(nodeRules, text)
	if at < 0 {
		return cairn.Invalid("choose", "RULE_UNKNOWN", "%q is not one of %s", text, strings.Join(nodeRules, ", "))
	}
	*r = ruleFlag(at + 1)
	return nil
}

func (*ruleFlag) Type() string { return "RULE" }

// chooseFlag is the flag for a rule.
func chooseFlag(cmd *cobra.Command, rule *cairn.NodeRule, usage string) {
	cmd.Flags().Var((*ruleFlag)(rule), "choose", usage+": "+strings.Join(nodeRules, ", "))
	must(cmd.RegisterFlagCompletionFunc("choose", cobra.FixedCompletions(nodeRules, cobra.ShellCompDirectiveNoFileComp)))
}
