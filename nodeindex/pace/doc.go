// Package pace has long work let others have the processor:
//
//	var pacer pace.Pacer
//	for _, each := range all {
//		pacer.Step()
//		...
//	}
//
// Go looks for what has come from the network when a processor has nothing to do, and
// else every ten milliseconds. Where long work has a processor, and other work the
// other one, each message of a write would wait until such a turn is over. What is
// paced rests every millisecond instead, whatever the number of processors.
package pace
