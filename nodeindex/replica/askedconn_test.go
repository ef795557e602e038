package replica

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestSenderThatIsSilent has whoever asks say nothing for a while: between messages
// that is no matter, within one it ends the connection.
func TestSenderThatIsSilent(t *testing.T) {
	network := newTestNetwork(t)
	streams, err := newStreams(network)
	if err != nil {
		t.Fatal(err)
	}
	defer streams.Close()
	const patience = 30 * time.Millisecond
	streams.patience = patience
	sender, err := network.Dial(network.address, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	asked, err := streams.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		time.AfterFunc(2*patience, func() {
			if _, err := sender.Write([]byte("a message")); err != nil {
				t.Error(err)
			}
		})
		if n, err := asked.Read(make([]byte, 100)); n == 0 || err != nil {
			t.Fatalf("%d bytes after a silence between messages: %v", n, err)
		}
		if _, err := asked.Write([]byte("an answer")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sender.Write([]byte("the beginning")); err != nil {
		t.Fatal(err)
	}
	if n, err := asked.Read(make([]byte, 100)); n == 0 || err != nil {
		t.Fatalf("%d bytes: %v", n, err)
	}
	if n, err := asked.Read(make([]byte, 100)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes within a message that does not go on: %v", n, err)
	}
}
