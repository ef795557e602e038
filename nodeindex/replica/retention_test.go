package replica

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"cairn/nodeindex"
)

// TestRetention has a log of three files that begin with the indexes 1, 101
// and 201.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"00000000000000000001-0000000000000000.wal", "00000000000000000101-000000000000000a.wal", "00000000000000000201-000000000000000b.wal", "wal-meta.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	now := time.Now()
	config := configure(dir)
	config.LogBytes, config.Logger = 2000, slog.New(slog.NewTextHandler(&said, nil))
	r := newRetention(config, dir)
	r.now = func() time.Time { return now }
	want := func(what string, floor uint64) {
		t.Helper()
		if got := r.floor(50); got != floor {
			t.Errorf("%s: the log stays from %d on, want %d", what, got, floor)
		}
	}
	heard := func(id raft.ServerID, index uint64) {
		r.asks(id)
		r.acknowledged(id, index)
	}
	want("nobody needs it", math.MaxUint64)
	heard("near", 290)
	heard("far", 210)
	want("two followers", 210)
	heard("gone", 40)
	want("one that the log does not reach", 210)
	p := r.pin(150)
	want("a snapshot on its way", 150)
	heard("lags", 60)
	want("one that lags beyond the limit", 150)
	if !strings.Contains(said.String(), "lags") || strings.Contains(said.String(), "gone") {
		t.Errorf("said: %s", said.String())
	}
	r.unpin(p)
	want("a snapshot that has arrived", 210)

	early := r.pin(70)
	if want("a snapshot beyond the limit", 210); r.keeps(early) || !strings.Contains(said.String(), "needs another") {
		t.Errorf("it is kept for; said: %s", said.String())
	}
	r.limit = 1
	want("a limit below one file", 210)
	r.limit = 1 << 20
	r.room = func() error { return errors.New("full") }
	want("a disk that is full", math.MaxUint64)
	r.room = func() error { return nil }
	heard("far", 210)
	now = now.Add(forgetAfter)
	heard("near", 300)
	now = now.Add(time.Second)
	want("one that is not sent to any more", 300)
}

// TestInstallWaitsForCheckpoint has an install wait for a checkpoint that is
// being written until raft has noted it, and none begin meanwhile.
func TestInstallWaitsForCheckpoint(t *testing.T) {
	index, err := nodeindex.Open(t.TempDir(), nodeindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	m := &machine{index: index}
	if !m.beginWriting() {
		t.Fatal("a checkpoint may not be written")
	}
	began := make(chan struct{})
	go func() {
		m.beginInstall()
		close(began)
	}()
	select {
	case <-began:
		t.Fatal("an install began beside a checkpoint")
	case <-time.After(50 * time.Millisecond):
	}
	m.endCheckpoint()
	<-began
	if m.beginWriting() {
		t.Error("a checkpoint is written beside an install")
	}
	m.endInstall()
	if !m.beginWriting() {
		t.Error("no checkpoint may be written after an install")
	}
}
