package daemon

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestEmbeddedEtcdKeepsItsData(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	for round := range 2 {
		server, err := startEtcd(ctx, dir, anyPort)
		if err != nil {
			t.Fatal(err)
		}
		host := strings.TrimPrefix(server.URL, "http://")
		if address, err := net.ResolveTCPAddr("tcp", host); err != nil || !address.IP.IsLoopback() || address.Port == 0 {
			t.Errorf("it listens on %s; want loopback and a real port", server.URL)
		}
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.URL}, DialTimeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if _, err := client.Put(ctx, "key", "value"); err != nil {
				t.Fatal(err)
			}
		} else if got, err := client.Get(ctx, "key"); err != nil || got.Count != 1 {
			t.Errorf("after the restart: %v, %v; want the key", got, err)
		}
		client.Close()
		server.close()
	}
	if log, err := os.ReadFile(filepath.Join(dir, "etcd.log")); err != nil || len(log) == 0 {
		t.Errorf("the log: %d bytes, %v; want some", len(log), err)
	}
}

func TestEmbeddedEtcdEndsDespiteAWatcher(t *testing.T) {
	server, err := startEtcd(t.Context(), t.TempDir(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watch := client.Watch(clientv3.WithRequireLeader(ctx), "key", clientv3.WithCreatedNotify())
	if first := <-watch; !first.Created {
		t.Fatalf("the watch began with %v", first)
	}
	begin := time.Now()
	server.close()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v to end", took)
	}
	cancel()
	client.Close()
}

func TestEtcdLogIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, etcdLogLimit+1); err != nil {
		t.Fatal(err)
	}
	file, err := openEtcdLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("the new log has %d bytes, %v; want 0", info.Size(), err)
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() != etcdLogLimit+1 {
		t.Errorf("the old log: %v, %v", info, err)
	}
}
