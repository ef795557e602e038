package indexv1

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
)

// TestJoinedMessagesComeOutAgain sends messages of many sizes: all come out,
// in order, in messages that are within the bound but for those too large by
// themselves.
func TestJoinedMessagesComeOutAgain(t *testing.T) {
	sizes := []int{10, 20, JoinedBytes, 30, JoinedBytes / 2, JoinedBytes / 2, 5, 3 * JoinedBytes, 7, 8, 9}
	messages := make([]*LocateRequest, len(sizes))
	for i, size := range sizes {
		messages[i] = &LocateRequest{Id: uint64(i + 1), Keys: make([]byte, size)}
	}
	var wire [][]byte
	sent, err := SendJoined(messages, func(m *LocateRequest) error {
		encoded, err := proto.Marshal(m)
		wire = append(wire, encoded)
		return err
	})
	if err != nil || sent != len(messages) {
		t.Fatalf("%d sent: %v", sent, err)
	}
	next := 0
	for _, encoded := range wire {
		whole := new(LocateRequest)
		if err := proto.Unmarshal(encoded, whole); err != nil {
			t.Fatal(err)
		}
		parts := Separate(whole)
		if len(parts) > 1 && len(encoded) > JoinedBytes+1024 {
			t.Errorf("%d messages of %d bytes together", len(parts), len(encoded))
		}
		for _, part := range parts {
			if !proto.Equal(part, messages[next]) {
				t.Errorf("message %d came out as number %d with %d bytes", next+1, part.GetId(), len(part.GetKeys()))
			}
			next++
		}
	}
	if next != len(messages) || len(wire) != 6 {
		t.Errorf("%d messages came out of %d", next, len(wire))
	}
}

func TestJoinedMessagesThatAreNotSent(t *testing.T) {
	messages := []*WriteRequest{{Id: 1, Mutations: make([]byte, JoinedBytes)}, {Id: 2}, {Id: 3}}
	failure, calls := errors.New("broken"), 0
	sent, err := SendJoined(messages, func(*WriteRequest) error {
		if calls++; calls == 2 {
			return failure
		}
		return nil
	})
	if sent != 1 || !errors.Is(err, failure) {
		t.Errorf("%d sent: %v", sent, err)
	}
}
