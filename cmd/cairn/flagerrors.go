package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cairn"
)

// wanted are what flags take, by the types that the flags' library gives them.
var wanted = map[string]string{
	"int": "a whole number", "int64": "a whole number", "uint": "a whole number of 0 or more", "uint64": "a whole number of 0 or more",
	"float64": "a number", "bool": "true or false", "duration": "a duration, such as 500ms, 10s or 2m",
}

// plainError is an error of the command line in words about flags, where the
// library's are about its own works.
func plainError(cmd *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := invalid.GetFlag()
		if what := wanted[flag.Value.Type()]; what != "" {
			return fmt.Errorf("--%s: %q is not %s", flag.Name, invalid.GetValue(), what)
		}
		cause := invalid.Unwrap()
		if named, ok := errors.AsType[*cairn.Error](cause); ok {
			cause = named.Err // the flag's name is enough
		}
		return fmt.Errorf("--%s: %w", flag.Name, cause)
	}
	if missing := missingFlags(cmd); strings.HasPrefix(err.Error(), "required flag") && len(missing) > 0 {
		return fmt.Errorf("say %s", strings.Join(missing, ", "))
	}
	return err
}

// missingFlags are the flags that a command can't do without and has not got,
// with what they take.
func missingFlags(cmd *cobra.Command) (missing []string) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if _, required := flag.Annotations[cobra.BashCompOneRequiredFlag]; required && !flag.Changed {
			takes, _ := pflag.UnquoteUsage(flag)
			missing = append(missing, strings.TrimSpace("--"+flag.Name+" "+takes))
		}
	})
	return missing
}
