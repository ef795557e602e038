// Package client is the Go client of a remote router. A Client has the verbs
// of router.Router with the same types, so that a service can change between
// a router inside it and one elsewhere:
//
//	c, err := client.Dial("127.0.0.1:7600", client.Options{})
//	location, token, err := c.Locate(ctx, "runways", cairn.Key("EDDF-07L"), cairn.Reading{})
//
// Every error is a *cairn.Error. A read that finds no server is tried again,
// with growing pauses, until its deadline, or Options.Timeout after it began;
// so is a watch, for as long as it lives. A write is sent once: if the
// connection breaks under it, its deadline passes, or the router fails on it,
// its outcome is KindUnknown with the reason OUTCOME_UNKNOWN. What the router
// itself answers is passed on as it is: KindUnavailable is not carried out.
//
// Of more calls than the router answers in time some are not sent: they fail as those
// that the router refuses do, with KindExhausted and cairn.ReasonOverloaded, and reads
// are tried again when that says.
//
// An export of a view is tried again only while nothing of it has come.
//
// Locates of many goroutines, and batches of up to 1,024 keys without attributes,
// travel together over a few streams: what waits while others are being sent makes
// the next message, and one that finds nothing waiting is sent at once. Each keeps its
// own freshness, deadline and error, and waits for
// no cluster but its own. Interceptors and stats handlers see the streams, not each
// Locate; one whose context has outgoing metadata is a call of its own.
package client
