package indexv1_test

import (
	"fmt"
	"testing"

	"cairn"
	indexv1 "cairn/proto/cairn/index/v1"
)

const benchmarkBatch = 128

func BenchmarkKeys(b *testing.B) {
	var keys []cairn.Key
	for i := range benchmarkBatch {
		keys = append(keys, fmt.Appendf(nil, "customer:%012d", i))
	}
	var blob []byte
	var read []cairn.Key
	b.ReportAllocs()
	for b.Loop() {
		blob = indexv1.AppendKeys(blob[:0], keys)
		read, _ = indexv1.DecodeKeys(blob, read[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkBatch, "ns/key")
}

func BenchmarkLocated(b *testing.B) {
	var results []cairn.Located
	for i := range benchmarkBatch {
		results = append(results, cairn.Located{State: cairn.Found, Stamp: cairn.Stamp{Epoch: 12345, Index: 678901}, Nodes: []cairn.NodeID{cairn.NodeID(i%9 + 1)}})
	}
	var blob []byte
	var read []cairn.Located
	b.ReportAllocs()
	for b.Loop() {
		blob = indexv1.AppendLocated(blob[:0], results, false)
		read, _ = indexv1.DecodeLocated(blob, false, read[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkBatch, "ns/key")
}
