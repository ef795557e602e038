package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childEnv, where it is set, makes the test binary a server: it holds a child.
const childEnv = "CAIRN_TEST_CHILD"

// child is a server that a test runs as a process of its own.
type child struct {
	Kind    string // "router", "index" or "dev"
	Listen  string
	HTTP    string
	Data    string
	Cluster string
	Etcd    []string
	Join    bool
	// Restored and Replaces are as in IndexConfig.
	Restored bool
	Replaces string
	// Advertise is as in IndexConfig.
	Advertise string
	// Fleet is as in RouterConfig.
	Fleet string
	// Mischief is the file that says what the replica's disk and clock do, or where a
	// mover stops.
	Mischief string
	// CheckpointBytes is as in Checkpoint.Bytes.
	CheckpointBytes int64
	// Cache is as in RouterConfig.
	Cache Cache
}

func TestMain(m *testing.M) {
	if config := os.Getenv(childEnv); config != "" {
		if err := runChild(config); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func runChild(config string) error {
	var c child
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	log, err := NewLogger(os.Stderr, "logfmt", "info")
	if err != nil {
		return err
	}
	go func() { // the test that started this process holds the other end
		_, _ = io.Copy(io.Discard, os.Stdin)
		fmt.Fprintln(os.Stderr, "the test is gone")
		os.Exit(1)
	}()
	ctx, stop := SignalContext(context.Background())
	defer stop()
	common := Common{Listen: c.Listen, HTTP: c.HTTP, Log: log, Stdout: os.Stdout}
	checkpoint := Checkpoint{Bytes: c.CheckpointBytes}
	switch c.Kind {
	case "router":
		return RunRouter(ctx, RouterConfig{
			Common: common, Etcd: c.Etcd, Data: c.Data, Cache: c.Cache, Fleet: c.Fleet, FleetSilence: patience,
			Moves: Moves{Tune: mischief(c.Mischief).tuneMover},
		})
	case "index":
		return RunIndex(ctx, IndexConfig{
			Common: common, Cluster: c.Cluster, Join: c.Join, Restored: c.Restored, Replaces: c.Replaces, Advertise: c.Advertise,
			Data: c.Data, Etcd: c.Etcd, Checkpoint: checkpoint, Tune: mischief(c.Mischief).tune,
		})
	case "dev":
		return RunDev(ctx, DevConfig{Common: common, Data: c.Data, Checkpoint: checkpoint, Cache: c.Cache})
	}
	return fmt.Errorf("no server is called %q", c.Kind)
}
