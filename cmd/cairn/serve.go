package main

import (
	"errors"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/daemon"
	"cairn/router"
)

// serverFlags are the flags that every server has beside those of its Config.
type serverFlags struct {
	logFormat, logLevel string
}

func (f *serverFlags) flags(cmd *cobra.Command, common *daemon.Common, listen, http string) {
	cmd.Flags().StringVar(&common.Listen, "listen", listen, "`ADDRESS` to serve gRPC at; port 0 takes a free one")
	cmd.Flags().StringVar(&common.HTTP, "http", http, "`ADDRESS` to serve metrics, health, pprof and gRPC reflection at; empty for none")
	cmd.Flags().BoolVar(&common.Insecure, "insecure", false, "allow listeners off the loopback interface without TLS")
	tlsFlags(cmd, &common.TLS)
	cmd.Flags().StringVar(&f.logFormat, "log-format", "logfmt", "`FORMAT` of the log, logfmt or json")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "info", "`LEVEL` of the log, debug, info, warn or error")
	must(cmd.RegisterFlagCompletionFunc("log-format", words("logfmt", "json")))
	must(cmd.RegisterFlagCompletionFunc("log-level", words("debug", "info", "warn", "error")))
}

// cacheFlags are of servers that have a router.
func cacheFlags(cmd *cobra.Command, cache *daemon.Cache) {
	cmd.Flags().Int64Var(&cache.Bytes, "cache-bytes", 0, "cache locations in about so many `BYTES` of memory; 0 for no cache")
	cmd.Flags().DurationVar(&cache.Staleness, "cache-staleness", router.DefaultCacheStaleness, "answer eventual reads from the cache for so long after an index was last heard of")
}

// complete gives a Config the log and the standard output of its command.
func (f *serverFlags) complete(cmd *cobra.Command, common *daemon.Common) (err error) {
	common.Log, err = daemon.NewLogger(cmd.ErrOrStderr(), f.logFormat, f.logLevel)
	common.Stdout = cmd.OutOrStdout()
	return asFlag(cmd, err)
}

// asFlag names the flag of cmd where err names the field of a Config that the
// flag sets.
func asFlag(cmd *cobra.Command, err error) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok || cmd.Flags().Lookup(e.Field) == nil {
		return err
	}
	named := *e
	named.Field = "--" + e.Field
	return &named
}
