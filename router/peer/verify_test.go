package peer_test

import (
	"reflect"
	"testing"
)

// TestVerifyShard has a check cross the wire as it is.
func TestVerifyShard(t *testing.T) {
	index := &trivial{}
	got, err := dial(t, serve(t, index, "127.0.0.1:0").address).VerifyShard(t.Context(), 7, 8, 9)
	if want, _ := index.VerifyShard(t.Context(), 7, 8, 9); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
