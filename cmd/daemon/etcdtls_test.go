package daemon

import (
	"context"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"cairn/cmd/secure"
	"cairn/cmd/secure/securetest"
)

// TestEtcdIsAskedByTLS: one that wants certificates of its clients.
func TestEtcdIsAskedByTLS(t *testing.T) {
	authority, err := securetest.New(t.TempDir(), "authority")
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Issue("any", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	config := embed.NewConfig()
	config.Dir, config.UnsafeNoFsync = t.TempDir(), true
	config.ListenClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ClientTLSInfo = transport.TLSInfo{CertFile: files.Cert, KeyFile: files.Key, TrustedCAFile: files.CA, ClientCertAuth: true}
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	<-etcd.Server.ReadyNotify()
	at := "https://" + etcd.Clients[0].Addr().String()

	ours, err := secure.Open(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(by *secure.Transport, patience time.Duration) error {
		client, err := newEtcdClient([]string{at}, by)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err = client.Get(ctx, "k")
		return err
	}
	if err := ask(ours, 30*time.Second); err != nil {
		t.Error(err)
	}
	if err := ask(nil, time.Second); err == nil {
		t.Error("it answers one who shows nothing")
	}
}
