package nodeindex

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"

	"cairn"
)

// processorTime is what the process has had so far, of all processors.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRequests is writes of existing keys with and without request ids,
// prepared, applied and now and then checkpointed, at 60,000 a second of the
// log's time. It reports the processor time of one, what is remembered of it in
// memory, and the bytes that go to the log and, of ids alone, to the file.
func BenchmarkRequests(b *testing.B) {
	for _, batch := range []int{1, 128} {
		for _, named := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d/id=%t", batch, named), func(b *testing.B) {
				r := openReplica(b, Options{})
				r.x.db.NoSync = true
				r.assign(testAssignment(b, cairn.SchemeHash, 64))
				const keys = 100_000
				var log, file int
				writes := 0
				b.ReportAllocs()
				began := processorTime(b)
				for n := 0; b.Loop(); n++ {
					now := testTime.Add(time.Duration(writes) * time.Second / 60_000)
					request := &cairn.WriteRequest{Keyspace: testKeyspace, Mutations: make([]cairn.Mutation, batch)}
					for i := range request.Mutations {
						request.Mutations[i] = put(benchKey(uint64((writes+i)%keys)), size(7))
						request.Mutations[i].Position = uint32(i)
					}
					if named {
						request.RequestID.Issued = now
						binary.BigEndian.PutUint64(request.RequestID.ID[:], mix(uint64(n))|1)
					}
					command := r.x.Prepare(now, []*cairn.WriteRequest{request})
					log += len(command)
					r.apply(command)
					if writes += batch; writes%(keys*batch) < batch {
						frozen := r.x.requests.freeze()
						file += frozen.bytes()
						r.checkpoint()
					}
				}
				frozen := r.x.requests.freeze()
				file += frozen.bytes()
				perWrite := func(n int) float64 { return float64(n) / float64(writes) }
				b.ReportMetric(perWrite(int(processorTime(b)-began)), "cpu-ns/write")
				b.ReportMetric(perWrite(log), "log-B/write")
				b.ReportMetric(perWrite(file), "file-B/write")
				if held := r.x.Status(); held.RequestWindow > 0 {
					b.ReportMetric(float64(held.RequestBytes)/(time.Duration(held.RequestWindow).Seconds()*60_000), "remembered-B/write")
				}
			})
		}
	}
}
