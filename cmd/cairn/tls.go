package main

import (
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/secure"
)

// tlsFlags are of every verb that others call, or that calls others.
func tlsFlags(cmd *cobra.Command, files *secure.Files) {
	cmd.Flags().StringVar(&files.Cert, "tls-cert", os.Getenv("CAIRN_TLS_CERT"), "`FILE` of the certificate to show, in PEM, or else CAIRN_TLS_CERT; with --tls-key and --tls-ca all is TLS")
	cmd.Flags().StringVar(&files.Key, "tls-key", os.Getenv("CAIRN_TLS_KEY"), "`FILE` of that certificate's private key, or else CAIRN_TLS_KEY")
	cmd.Flags().StringVar(&files.CA, "tls-ca", os.Getenv("CAIRN_TLS_CA"), "`FILE` of the certificates of the authorities to trust, or else CAIRN_TLS_CA")
}

// openTLS opens the files that flags name, for a verb that calls others. It is nil where
// they name none.
func openTLS(files secure.Files) (*secure.Transport, error) {
	transport, err := secure.Open(files, slog.New(slog.DiscardHandler))
	if refusal, is := errors.AsType[*cairn.Error](err); is {
		named := *refusal
		named.Field = "--" + refusal.Field
		return nil, &named
	}
	return transport, err
}
