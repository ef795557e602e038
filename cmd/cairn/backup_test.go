package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"

	"cairn"
	"cairn/nodeindex"
	cairnv1 "cairn/proto/cairn/v1"
)

// backingUp is a router that sends the pieces of a backup, and then waits until
// nobody listens, if it is to.
type backingUp struct {
	cairnv1.UnimplementedAdminServer
	pieces [][]byte
	sent   func()
}

func (b *backingUp) BackupCluster(_ *cairnv1.BackupClusterRequest, stream grpc.ServerStreamingServer[cairnv1.BackupClusterResponse]) error {
	for _, piece := range b.pieces {
		if err := stream.Send(&cairnv1.BackupClusterResponse{Data: piece}); err != nil {
			return err
		}
	}
	if b.sent != nil {
		b.sent()
		<-stream.Context().Done()
	}
	return nil
}

// serveBackup serves a router for as long as the test lasts.
func serveBackup(t *testing.T, router *backingUp) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	cairnv1.RegisterAdminServer(server, router)
	go func() { _ = server.Serve(listener) }() // until Stop
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// TestBackupIsWholeOrNotThere has backups that are interrupted, end early or are
// damaged on their way: the file is as it was before, and nothing else is left.
func TestBackupIsWholeOrNotThere(t *testing.T) {
	x, err := nodeindex.Open(t.TempDir(), nodeindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	made := filepath.Join(t.TempDir(), "made")
	if _, err := x.WriteBackup(made, nodeindex.BackupLabel{Cluster: "north", UID: 7}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	half := len(whole) / 2
	path := filepath.Join(t.TempDir(), "north.backup")
	run := func(router *backingUp, ctx context.Context) error {
		root, _ := newRoot()
		root.SetArgs([]string{"backup", "north", path, "--addr", serveBackup(t, router)})
		root.SetOut(new(bytes.Buffer))
		return root.ExecuteContext(ctx)
	}
	for _, before := range []string{"", "an earlier backup"} {
		if before != "" {
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(what string, err error, kind cairn.Kind) {
			t.Helper()
			if err == nil || cairn.KindOf(err) != kind {
				t.Errorf("%s: %v", what, err)
			}
			content, err := os.ReadFile(path)
			if string(content) != before || (err == nil) != (before != "") {
				t.Errorf("%s: %d bytes are there, %v", what, len(content), err)
			}
			if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != min(1, len(before)) {
				t.Errorf("%s: left behind: %v", what, files)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		expect("interrupted", run(&backingUp{pieces: [][]byte{whole[:half]}, sent: cancel}, ctx), cairn.KindDeadline)
		expect("cut short", run(&backingUp{pieces: [][]byte{whole[:half]}}, t.Context()), cairn.KindCorrupt)
		expect("damaged", run(&backingUp{pieces: [][]byte{flipped}}, t.Context()), cairn.KindCorrupt)
		expect("empty", run(&backingUp{}, t.Context()), cairn.KindCorrupt)
	}
	if err := run(&backingUp{pieces: [][]byte{whole[:half], whole[half:]}}, t.Context()); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(path); err != nil || !bytes.Equal(content, whole) {
		t.Errorf("whole: %d bytes, %v", len(content), err)
	}
}
