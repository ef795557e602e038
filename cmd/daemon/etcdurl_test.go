package daemon

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"cairn"
)

func TestEtcdAddress(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:2379":    "tcp 127.0.0.1:2379",
		"http://127.0.0.1:2379/":   "tcp 127.0.0.1:2379",
		"https://etcd.example:443": "tcp etcd.example:443",
		"http://[::1]:2379":        "tcp [::1]:2379",
		"127.0.0.1:2379":           "tcp 127.0.0.1:2379",
		"unix:///run/etcd":         "unix /run/etcd",
	} {
		network, address, err := etcdAddress(endpoint)
		if got := network + " " + address; err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", endpoint, got, err, want)
		}
	}
	for _, endpoint := range []string{"", " ", "nonsense", "http://", "http://127.0.0.1", "http://127.0.0.1:", "127.0.0.1:0",
		"http://127.0.0.1:http", "http://127.0.0.1:65536", "http://a b:2379", "ftp://127.0.0.1:2379", "unix://", "://"} {
		_, _, err := etcdAddress(endpoint)
		e, ok := errors.AsType[*cairn.Error](err)
		if !ok || e.Kind != cairn.KindInvalid || e.Reason != "ETCD_MALFORMED" || e.Field != "etcd" {
			t.Errorf("%q: %v; want it refused as ETCD_MALFORMED", endpoint, err)
		}
	}
}

func TestReachEtcd(t *testing.T) {
	listener, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	nobody, somebody := "http://"+freeAddress(t), "http://"+listener.Addr().String()
	if err := reachEtcd(t.Context(), []string{nobody, somebody}); err != nil {
		t.Errorf("one of two listens: %v", err)
	}
	if err := reachEtcd(t.Context(), []string{nobody}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestWaitingForEtcdSaysWhy has the reason come before the store gives up its
// first attempt.
func TestWaitingForEtcdSaysWhy(t *testing.T) {
	address := freeAddress(t)
	router := start(t, child{Kind: "router", Etcd: []string{"http://" + address}})
	router.says("waiting for etcd at http://" + address + ", which can't be reached: dial tcp " + address + ": connect: connection refused")
	if strings.Contains(router.logText(), "etcd does not answer") {
		t.Error("the reason came late")
	}
}
