// Package spawn plays parts of a benchmark in processes of their own: the
// running executable is started again with the arguments of a part, says on
// standard output when it serves, and ends when its standard input does, so
// that no part outlives the benchmark, however that ends.
package spawn
