package secure_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn"
	"cairn/cmd/secure"
	"cairn/cmd/secure/securetest"
)

// text is a log that is read while it is written.
type text struct {
	mu sync.Mutex
	bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Buffer.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Buffer.String()
}

func (t *text) slog() *slog.Logger { return slog.New(slog.NewTextHandler(t, nil)) }

func authority(t *testing.T, name string) *securetest.Authority {
	t.Helper()
	a, err := securetest.New(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *securetest.Authority, name string, until time.Duration) secure.Files {
	t.Helper()
	files, err := a.Issue(name, time.Now().Add(until))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func open(t *testing.T, files secure.Files, log *text) *secure.Transport {
	t.Helper()
	transport, err := secure.Open(files, log.slog())
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

// echo serves a transport: what comes is sent back.
func echo(t *testing.T, transport *secure.Transport, log *text) (address string) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := transport.Listener(plain, log.slog())
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		group.Wait()
	})
	return plain.Addr().String()
}

// word is longer than the header of a TLS record.
const word = "a few words"

// says sends it and waits for its return. TLS 1.3 tells a client only then that it is refused.
func says(dial func(context.Context, string) (net.Conn, error), address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(word)); err != nil {
		return err
	}
	answer := make([]byte, len(word))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != word {
		return errors.New("another word came back: " + string(answer))
	}
	return nil
}

func TestBothSidesAreChecked(t *testing.T) {
	ours, others := authority(t, "ours"), authority(t, "others")
	var log text
	server := open(t, issue(t, ours, "server", time.Hour), &log)
	address := echo(t, server, &log)
	if err := says(open(t, issue(t, ours, "client", time.Hour), &log).Dial, address); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "refused") {
		t.Errorf("told of nothing: %s", &log)
	}

	stranger := issue(t, others, "stranger", time.Hour)
	stranger.CA = issue(t, ours, "any", time.Hour).CA // trusts us, which is not enough
	anonymous := &tls.Config{RootCAs: server.Client().RootCAs, MinVersion: tls.VersionTLS13}
	old := server.Client()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	for name, dial := range map[string]func(context.Context, string) (net.Conn, error){
		"of another authority": open(t, stranger, &log).Dial,
		"that expired":         open(t, issue(t, ours, "expired", -time.Minute), &log).Dial,
		"who trusts another":   open(t, issue(t, others, "far", time.Hour), &log).Dial,
		"without one":          by(anonymous),
		"of TLS 1.2":           by(old),
		"in the clear":         (*secure.Transport)(nil).Dial,
	} {
		if err := says(dial, address); err == nil {
			t.Errorf("a client %s was answered", name)
		}
	}
	if n := strings.Count(log.String(), "a connection was refused"); n != 1 {
		t.Errorf("the log tells of %d refusals in a minute, of which the first counts: %s", n, &log)
	}

	// A server of another authority, and one that has another's address.
	if err := says(server.Dial, echo(t, open(t, issue(t, others, "their-server", time.Hour), &log), &log)); err == nil {
		t.Error("a server of another authority was believed")
	}
	_, port, _ := net.SplitHostPort(address)
	if err := says(server.Dial, net.JoinHostPort("127.0.0.2", port)); err == nil {
		t.Error("a server was believed that is of another address than its certificate")
	}
	if err := says(server.Dial, net.JoinHostPort("localhost", port)); err != nil {
		t.Errorf("by its name: %v", err)
	}
}

// TestOneWhoIsSilentHoldsNobodyUp: hands are shaken by who is read from.
func TestOneWhoIsSilentHoldsNobodyUp(t *testing.T) {
	ours := authority(t, "ours")
	var log text
	transport := open(t, issue(t, ours, "server", time.Hour), &log)
	address := echo(t, transport, &log)
	for range 3 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := says(transport.Dial, address); err != nil {
		t.Error(err)
	}
}

// TestHTTPOfEitherVersion as the admin listener serves it: what follows the handshake is in
// the clear to it.
func TestHTTPOfEitherVersion(t *testing.T) {
	ours := authority(t, "ours")
	var log text
	transport := open(t, issue(t, ours, "server", time.Hour), &log)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(transport.Listener(plain, log.slog())) })
	t.Cleanup(func() {
		server.Close()
		group.Wait()
	})
	for two, want := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: transport.Client(), ForceAttemptHTTP2: two}}
		response, err := client.Get("https://" + plain.Addr().String())
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != want {
			t.Errorf("%s: %q, %v", want, body, err)
		}
		response.Body.Close()
		client.CloseIdleConnections()
	}
}

func TestANewCertificateIsShownWithoutARestart(t *testing.T) {
	ours := authority(t, "ours")
	var log text
	files := issue(t, ours, "server", time.Minute)
	transport := open(t, files, &log)
	address := echo(t, transport, &log)
	first := transport.Expires()
	shown := func() time.Time {
		t.Helper()
		conn, err := tls.Dial("tcp", address, transport.Client())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].NotAfter
	}
	if at := shown(); !at.Equal(first) {
		t.Fatalf("shown until %v; it is good until %v", at, first)
	}

	// One file of two: the certificate before it goes on.
	key, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	issue(t, ours, "server", 2*time.Hour)
	next, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Second) // whatever the file system's clock is worth
	write(t, files.Key, key, later)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "going on with the one before"); time.Sleep(50 * time.Millisecond) {
		if at := shown(); !at.Equal(first) || time.Now().After(deadline) {
			t.Fatalf("shown until %v, at first %v: %s", at, first, &log)
		}
	}
	write(t, files.Key, next, later.Add(time.Second))
	for deadline := time.Now().Add(30 * time.Second); shown().Equal(first); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not shown: %s", &log)
		}
	}
	if n := strings.Count(log.String(), "going on with the one before"); n != 1 {
		t.Errorf("told %d times of one change that can't be used: %s", n, &log)
	}
}

func write(t *testing.T, path string, content []byte, at time.Time) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatCantBe(t *testing.T) {
	ours := authority(t, "ours")
	good, other := issue(t, ours, "good", time.Hour), issue(t, ours, "other", time.Hour)
	garbage := filepath.Join(t.TempDir(), "garbage")
	write(t, garbage, []byte("-----BEGIN CERTIFICATE-----\nno\n"), time.Now())
	for name, test := range map[string]struct {
		files         secure.Files
		field, reason string
	}{
		"no certificate":      {secure.Files{Key: good.Key, CA: good.CA}, "tls-cert", "TLS_INCOMPLETE"},
		"no key":              {secure.Files{Cert: good.Cert, CA: good.CA}, "tls-key", "TLS_INCOMPLETE"},
		"no authority":        {secure.Files{Cert: good.Cert, Key: good.Key}, "tls-ca", "TLS_INCOMPLETE"},
		"lost certificate":    {secure.Files{Cert: garbage + "2", Key: good.Key, CA: good.CA}, "tls-cert", "TLS_MALFORMED"},
		"lost key":            {secure.Files{Cert: good.Cert, Key: garbage + "2", CA: good.CA}, "tls-key", "TLS_MALFORMED"},
		"lost authority":      {secure.Files{Cert: good.Cert, Key: good.Key, CA: garbage + "2"}, "tls-ca", "TLS_MALFORMED"},
		"garbled certificate": {secure.Files{Cert: garbage, Key: good.Key, CA: good.CA}, "tls-cert", "TLS_MALFORMED"},
		"garbled authority":   {secure.Files{Cert: good.Cert, Key: good.Key, CA: garbage}, "tls-ca", "TLS_MALFORMED"},
		"another's key":       {secure.Files{Cert: good.Cert, Key: other.Key, CA: good.CA}, "tls-cert", "TLS_MALFORMED"},
	} {
		_, err := secure.Open(test.files, slog.New(slog.DiscardHandler))
		if e, is := errors.AsType[*cairn.Error](err); !is || e.Field != test.field || e.Reason != test.reason || e.Kind != cairn.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if none, err := secure.Open(secure.Files{}, nil); none != nil || err != nil || none.Client() != nil || !none.Expires().IsZero() {
		t.Errorf("no files: %v, %v", none, err)
	}
}

func by(config *tls.Config) func(context.Context, string) (net.Conn, error) {
	dialer := &tls.Dialer{Config: config}
	return func(ctx context.Context, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", address)
	}
}
