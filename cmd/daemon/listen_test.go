package daemon

import (
	"net"
	"strings"
	"testing"

	"cairn"
)

func TestListenRefusesWhatOthersCanReach(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		_, err := listen("listen", address, false)
		if cairn.KindOf(err) != cairn.KindInvalid || cairn.ReasonOf(err) != "LISTENER_INSECURE" {
			t.Errorf("%s: %v; want it refused as LISTENER_INSECURE", address, err)
			continue
		}
		for _, want := range []string{"listen: ", address, "--insecure"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", address, err, want)
			}
		}
	}
}

func TestListenOnLoopback(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "localhost:0", "127.1.2.3:0"} {
		listener, err := listen("listen", address, false)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if port := listener.Addr().(*net.TCPAddr).Port; port == 0 {
			t.Errorf("%s: no real port", address)
		}
		listener.Close()
	}
}

func TestListenOffLoopbackWhereTold(t *testing.T) {
	listener, err := listen("listen", "0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	taken, err := listen("listen", "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, reason := range map[string]string{
		taken.Addr().String(): "ADDRESS_IN_USE",
		"127.0.0.1":           "LISTEN_MALFORMED",
		"127.0.0.1:port":      "LISTEN_MALFORMED",
	} {
		_, err := listen("http", address, false)
		if cairn.ReasonOf(err) != reason || !strings.HasPrefix(err.Error(), "http: ") {
			t.Errorf("%s: %v; want %s in field http", address, err, reason)
		}
	}
}
