package capacity

// Measured is what things cost on the machine of bench/results: cores of an AMD
// EPYC, Go 1.26, keys of 20 bytes. docs/capacity.md says where each figure is
// from.
var Measured = Costs{
	IndexBase: 1170 << 20, Entry: 180,
	FirstView: 90, View: 20,
	Shard: 73, ShardRecord: 197,
	WriteBytes: 1_155,

	RouterKey: 0.5, RouterRequest: 12, RouterAsk: 9,
	IndexKey: 0.6, IndexRequest: 8,
	PutKey: 4, PutRequest: 38,
}
