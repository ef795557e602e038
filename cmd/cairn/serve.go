package main

import (
	"github.com/spf13/cobra"

	"cairn/cmd/daemon"
)

// serverFlags are the flags that every server has beside those of its Config.
type serverFlags struct {
	logFormat, logLevel string
}

func (f *serverFlags) flags(cmd *cobra.Command, common *daemon.Common, listen, http string) {
	cmd.Flags().StringVar(&common.Listen, "listen", listen, "where to serve gRPC; port 0 takes a free one")
	cmd.Flags().StringVar(&common.HTTP, "http", http, "where to serve metrics, health, pprof and gRPC reflection; empty: nowhere")
	cmd.Flags().BoolVar(&common.Insecure, "insecure", false, "allow listeners off loopback, without transport security")
	cmd.Flags().StringVar(&f.logFormat, "log-format", "logfmt", "logfmt or json")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	must(cmd.RegisterFlagCompletionFunc("log-format", words("logfmt", "json")))
	must(cmd.RegisterFlagCompletionFunc("log-level", words("debug", "info", "warn", "error")))
}

// complete gives a Config the log and the standard output of its command.
func (f *serverFlags) complete(cmd *cobra.Command, common *daemon.Common) (err error) {
	common.Log, err = daemon.NewLogger(cmd.ErrOrStderr(), f.logFormat, f.logLevel)
	common.Stdout = cmd.OutOrStdout()
	return err
}
