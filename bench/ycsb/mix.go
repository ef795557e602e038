package ycsb

// Mix is one of the core workloads: how often each operation is done.
type Mix struct {
	// Name is YCSB's letter, Text what YCSB calls the workload and what it does.
	Name, Text string
	// Read, Update, Insert, Scan and Modify are shares of all operations, one
	// in all. Modify reads a record and then updates it.
	Read, Update, Insert, Scan, Modify float64
	// Latest has the newest records read the most often, else it is popular
	// ones that lie anywhere.
	Latest bool
}

// Mixes are the core workloads.
var Mixes = []Mix{
	{Name: "A", Text: "update heavy: half reads, half updates", Read: 0.5, Update: 0.5},
	{Name: "B", Text: "read mostly: 95% reads, 5% updates", Read: 0.95, Update: 0.05},
	{Name: "C", Text: "read only", Read: 1},
	{Name: "D", Text: "read latest: 95% reads of the newest the most often, 5% inserts", Read: 0.95, Insert: 0.05, Latest: true},
	{Name: "E", Text: "short ranges: 95% scans of 1 to 100 records, 5% inserts", Scan: 0.95, Insert: 0.05},
	{Name: "F", Text: "read, modify, write: half reads, half reads with an update after them", Read: 0.5, Modify: 0.5},
}

// operation is what a caller does next.
type operation uint8

const (
	read operation = iota
	update
	insert
	scan
	modify
)

// draw is the operation for a number from 0 up to 1.
func (m *Mix) draw(at float64) operation {
	for op, share := range []float64{m.Read, m.Update, m.Insert, m.Scan} {
		if at < share {
			return operation(op)
		}
		at -= share
	}
	if m.Modify > 0 {
		return modify
	}
	return read // what rounding has left
}
