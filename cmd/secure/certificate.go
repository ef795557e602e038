package secure

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"cairn"
)

// lookEvery is how often a certificate's files are looked at, at most: they are where
// somebody connects.
const lookEvery = time.Second

// certificate is one that is read again when its files have changed.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex // guards what follows
	current *tls.Certificate
	looked  time.Time
	written [2]time.Time // when the files of the last reading were, one that failed included
}

func openCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log, looked: time.Now()}
	c.written, _ = c.times() // an error is that of the reading too
	read, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		field := "tls-cert"
		if path, is := errors.AsType[*fs.PathError](err); is && path.Path == key {
			field = "tls-key"
		}
		return nil, cairn.Invalid(field, "TLS_MALFORMED", "%s with the key %s: %w", cert, key, err)
	}
	c.current = &read
	return c, nil
}

// newest is the certificate to show. What can't be read, as while only one of the two
// files has been replaced, leaves the one before, and is tried again when a file changes.
func (c *certificate) newest(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := now.Sub(c.looked); since >= 0 && since < lookEvery {
		return c.current
	}
	c.looked = now
	written, err := c.times()
	if err == nil && written == c.written {
		return c.current
	}
	var read tls.Certificate
	if err == nil {
		read, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	if written != c.written && err != nil {
		c.log.Warn("the certificate's files have changed and can't be used; going on with the one before", "cert", c.cert, "err", err)
	}
	c.written = written
	if err == nil {
		c.current = &read
		c.log.Info("a new certificate is shown", "cert", c.cert, "until", read.Leaf.NotAfter)
	}
	return c.current
}

// times are when the files were written last.
func (c *certificate) times() (written [2]time.Time, err error) {
	for i, name := range []string{c.cert, c.key} {
		info, failure := os.Stat(name)
		if failure != nil {
			return written, failure
		}
		written[i] = info.ModTime()
	}
	return written, nil
}
