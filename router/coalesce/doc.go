// Package coalesce makes batches of plain writes: those that wait while others
// are on their way travel together.
//
//	writes := coalesce.NewWriter("customers", router.BatchWrite)
//	...
//	outcome, token, err := writes.Write(ctx, cairn.Write{Operation: cairn.Put, Key: key})
//
// A write that finds nothing on its way is sent at once; there is no timer. So
// one caller alone waits no longer than without, and many share the cost of a
// call. It serves a Router and a Client of one alike.
package coalesce
