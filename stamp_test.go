package cairn_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn"
)

func tokens() *rapid.Generator[cairn.Token] {
	return rapid.Custom(func(t *rapid.T) cairn.Token {
		var token cairn.Token
		for range rapid.IntRange(0, 4).Draw(t, "answers") {
			token = token.With(
				cairn.UID(rapid.Uint64Range(1, 5).Draw(t, "cluster")),
				cairn.Stamp{Epoch: rapid.Uint64().Draw(t, "epoch"), Index: rapid.Uint64().Draw(t, "index")})
		}
		return token
	})
}

func TestTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := tokens().Draw(t, "token")
		back, err := cairn.ParseToken(token.String())
		if err != nil || back.String() != token.String() {
			t.Fatalf("%v came back as %v: %v", token, back, err)
		}
	})
}

func TestTokenMergeCoversBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := tokens().Draw(t, "a"), tokens().Draw(t, "b")
		merged := a.Merge(b)
		if merged.Epoch != max(a.Epoch, b.Epoch) {
			t.Fatalf("epoch %d of %d and %d", merged.Epoch, a.Epoch, b.Epoch)
		}
		for cluster := cairn.UID(1); cluster <= 5; cluster++ {
			if got, want := merged.Index(cluster), max(a.Index(cluster), b.Index(cluster)); got != want {
				t.Fatalf("cluster %s: index %d, want %d", cluster, got, want)
			}
		}
		if merged.String() != b.Merge(a).String() {
			t.Fatal("the order of merging matters")
		}
	})
}

func TestTokenRefusesWhatIsNotOne(t *testing.T) {
	good := cairn.Token{}.With(7, cairn.Stamp{Epoch: 3, Index: 9}).String()
	for _, text := range []string{"x", "AAAA", "not a token!", good[1:], good + "A", good[:len(good)-1] + "_"} {
		if token, err := cairn.ParseToken(text); cairn.ReasonOf(err) != "TOKEN_MALFORMED" {
			t.Errorf("%q gave %v, %v", text, token, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("")
	f.Add(cairn.Token{}.With(7, cairn.Stamp{Epoch: 3, Index: 9}).String())
	f.Fuzz(func(t *testing.T, text string) {
		token, err := cairn.ParseToken(text)
		if err != nil {
			return
		}
		if back, err := cairn.ParseToken(token.String()); err != nil || back.String() != token.String() {
			t.Fatalf("%q became %v, then %v: %v", text, token, back, err)
		}
	})
}

func TestVersionText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := cairn.Version{Epoch: rapid.Uint64().Draw(t, "epoch"), Index: rapid.Uint64().Draw(t, "index"), Position: rapid.Uint32().Draw(t, "position")}
		if back, err := cairn.ParseVersion(v.String()); err != nil || back != v {
			t.Fatalf("%v came back as %v: %v", v, back, err)
		}
	})
	for _, text := range []string{"", "1", "1.2", "1.2.3.4", "1.2.x", " 1.2.3", "01.2.3", "1.2.-3"} {
		if v, err := cairn.ParseVersion(text); cairn.ReasonOf(err) != "VERSION_MALFORMED" {
			t.Errorf("%q gave %v, %v", text, v, err)
		}
	}
}

func TestFingerprintIsOfASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type owned struct{ shard, epoch uint64 }
		set := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) owned {
			return owned{rapid.Uint64Range(0, 9).Draw(t, "shard"), rapid.Uint64Range(0, 9).Draw(t, "epoch")}
		}), 1, 6, func(o owned) uint64 { return o.shard }).Draw(t, "set")
		var forwards, backwards cairn.Fingerprint
		for i := range set {
			forwards = forwards.Add(cairn.ShardID(set[i].shard), set[i].epoch)
			last := set[len(set)-1-i]
			backwards = backwards.Add(cairn.ShardID(last.shard), last.epoch)
		}
		if forwards != backwards {
			t.Fatal("the order of adding matters")
		}
		if newer := forwards.Add(cairn.ShardID(set[0].shard), set[0].epoch); newer == forwards {
			t.Fatal("a set and a larger one have the same fingerprint")
		}
	})
}

// TestMergeOfLargeTokensIsQuick merges tokens as large as requests may carry:
// whoever sends them must not make a router work for long.
func TestMergeOfLargeTokensIsQuick(t *testing.T) {
	large := func(first uint64) cairn.Token {
		raw := binary.AppendUvarint([]byte{1}, first)
		for i := range uint64(40_000) {
			raw = binary.AppendUvarint(binary.BigEndian.AppendUint64(raw, first+2*i), i)
		}
		raw = binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)))
		token, err := cairn.ParseToken(base64.RawURLEncoding.EncodeToString(raw))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	even, odd := large(2), large(1)
	began := time.Now()
	merged := even.Merge(odd)
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	if len(merged.Clusters()) != 80_000 || merged.Epoch != 2 || merged.Index(80_000) != 39_999 {
		t.Errorf("%d clusters, epoch %d", len(merged.Clusters()), merged.Epoch)
	}
}
