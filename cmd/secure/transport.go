package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"cairn"
)

// Files name the PEM files of a process. The zero Files are those of none.
type Files struct {
	// Cert has the certificate that the process shows, with those between it and the
	// authority's; Key its private key. They are read again when they have changed.
	Cert, Key string
	// CA has the certificates of the authorities. It is read once.
	CA string
}

// Transport is how a process talks to others.
type Transport struct {
	own            *certificate
	server, client *tls.Config
}

// Open reads the files, and is nil if none is named. KindInvalid, with the field tls-cert,
// tls-key or tls-ca: one is not named although others are (TLS_INCOMPLETE), can't be read
// or is not what it should be (TLS_MALFORMED).
func Open(files Files, log *slog.Logger) (*Transport, error) {
	if files == (Files{}) {
		return nil, nil
	}
	for _, file := range []struct{ field, path, what string }{
		{"tls-cert", files.Cert, "the certificate to show"},
		{"tls-key", files.Key, "the certificate's private key"},
		{"tls-ca", files.CA, "the certificates of the authorities to trust"},
	} {
		if file.path == "" {
			return nil, cairn.Invalid(file.field, "TLS_INCOMPLETE", "name the file of %s too: TLS takes --tls-cert, --tls-key and --tls-ca", file.what)
		}
	}
	text, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, cairn.Invalid("tls-ca", "TLS_MALFORMED", "%w", err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) {
		return nil, cairn.Invalid("tls-ca", "TLS_MALFORMED", "%s has no certificate in PEM", files.CA)
	}
	own, err := openCertificate(files.Cert, files.Key, log)
	if err != nil {
		return nil, err
	}
	return &Transport{
		own: own,
		server: &tls.Config{
			MinVersion: tls.VersionTLS13,
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  trusted,
			NextProtos: []string{"h2", "http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return own.newest(time.Now()), nil
			},
		},
		client: &tls.Config{
			MinVersion: tls.VersionTLS13,
			RootCAs:    trusted,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return own.newest(time.Now()), nil
			},
		},
	}, nil
}

// DialOption has a gRPC client talk by it.
func (t *Transport) DialOption() grpc.DialOption {
	if t == nil {
		return grpc.WithTransportCredentials(insecure.NewCredentials())
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(t.client))
}

// Client is the configuration of a client, for one to keep; nil of none.
func (t *Transport) Client() *tls.Config {
	if t == nil {
		return nil
	}
	return t.client.Clone()
}

// Dial connects to a TCP address.
func (t *Transport) Dial(ctx context.Context, address string) (net.Conn, error) {
	if t == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	dialer := tls.Dialer{Config: t.client}
	return dialer.DialContext(ctx, "tcp", address)
}

// Expires is when the certificate that is shown ends; zero of none.
func (t *Transport) Expires() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.own.newest(time.Now()).Leaf.NotAfter
}
