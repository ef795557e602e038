package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft-wal/types"

	"cairn"
	"cairn/nodeindex"
)

// unsyncedMeta finds no space when it syncs, as bbolt says it.
type unsyncedMeta struct{ types.MetaStore }

func (unsyncedMeta) CommitState(types.PersistentState) error { return syscall.ENOSPC }
func (unsyncedMeta) SetStable(_, _ []byte) error             { return syscall.ENOSPC }

// TestUnsyncedMetadataIsNoFullDisk: what a failed sync left on disk is not
// known, so the log must not go on by itself.
func TestUnsyncedMetadataIsNoFullDisk(t *testing.T) {
	meta := &sealingMeta{MetaStore: unsyncedMeta{}}
	for _, err := range []error{meta.CommitState(types.PersistentState{}), meta.SetStable(nil, nil)} {
		if !errors.Is(err, syscall.ENOSPC) || isFull(err) {
			t.Errorf("a sync without space: %v is taken for a full disk", err)
		}
	}
	if !isFull(fmt.Errorf("allocating: %w", syscall.ENOSPC)) || !isFull(&os.PathError{Op: "open", Err: syscall.EDQUOT}) {
		t.Error("what was refused for want of space")
	}
}

// TestVerifyAfterFailure asks a log whose store has failed, and whose raft has
// ended over that, whether it leads.
func TestVerifyAfterFailure(t *testing.T) {
	config, err := configure(t.TempDir()).completed()
	if err != nil {
		t.Fatal(err)
	}
	index, err := nodeindex.Open(config.Dir, config.Index)
	if err != nil {
		t.Fatal(err)
	}
	log, err := openLog(config, &machine{index: index}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.awaitLead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := log.store.WAL.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := log.propose(nil); cairn.KindOf(err) != cairn.KindUnknown {
		t.Errorf("the append that fails: %v", err)
	}
	time.Sleep(200 * time.Millisecond) // until raft stands for election and can't keep its term
	answered := make(chan error, 20)
	go func() {
		for range cap(answered) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := log.verify(ctx)
			cancel()
			answered <- err
		}
	}()
	for range cap(answered) {
		select {
		case err := <-answered:
			if cairn.ReasonOf(err) != "LOG_FAILED" {
				t.Errorf("a failed log: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("nobody ever answers")
		}
	}
	log.close(config.Logger)
	if err := index.Close(); err != nil {
		t.Error(err)
	}
}

// TestSmallOverlay has a bound on what is in no checkpoint that is below what
// makes a checkpoint due: writes must not wait for the checkpoint's age.
func TestSmallOverlay(t *testing.T) {
	config := configure(t.TempDir())
	config.OverlayBytes = 64 << 10
	r := open(t, config)
	start := time.Now()
	for n := range 50 {
		req := put(n)
		for i := range 64 {
			req.Mutations = append(req.Mutations, cairn.Mutation{Operation: cairn.Put, Key: fmt.Appendf(nil, "%d-%d", n, i)})
		}
		mustWrite(t, r, req)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("50 writes took %v", took)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no directory":   func(c *Config) { c.Dir = "" },
		"negative bound": func(c *Config) { c.QueueBytes = -1 },
		"negative age":   func(c *Config) { c.CheckpointAge = -time.Second },
		"heartbeat":      func(c *Config) { c.Heartbeat = -time.Second },
		"election":       func(c *Config) { c.ElectionTimeout = -time.Second },
	} {
		config := configure(t.TempDir())
		change(&config)
		if _, err := Open(config); cairn.KindOf(err) != cairn.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
