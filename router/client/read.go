package client

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

const keyspacePrefix = "keyspaces/"

func viewOf(withAttributes bool) cairnv1.LocationView {
	if withAttributes {
		return cairnv1.LocationView_LOCATION_VIEW_FULL
	}
	return cairnv1.LocationView_LOCATION_VIEW_BASIC
}

// choiceOf is a choice, nil for the zero NodeChoice.
func choiceOf(choice cairn.NodeChoice) *cairnv1.NodeChoice {
	if choice == (cairn.NodeChoice{}) {
		return nil
	}
	return &cairnv1.NodeChoice{Rule: cairnv1.NodeChoice_Rule(choice.Rule), Zone: choice.Zone} // numbered alike
}

// Locate is router.Router.Locate. Locates of many goroutines travel together, each
// as fresh as it asks and no longer than its own context allows; one that does not
// go smoothly so goes on by itself, and so does one whose context has metadata
// for the call.
func (c *Client) Locate(ctx context.Context, keyspace string, key cairn.Key, reading cairn.Reading) (cairn.Location, cairn.Token, error) {
	deadline, has := ctx.Deadline()
	if !has {
		deadline = time.Now().Add(c.timeout)
	}
	var failure *cairn.Error
	if travels(ctx, []cairn.Key{key}, false) {
		var location cairn.Location
		var token cairn.Token
		if location, token, failure = c.locates.one(ctx, deadline, keyspace, key, reading); failure == nil {
			return location, token, nil
		}
		if !goesAlone(ctx, deadline, failure) {
			return cairn.Location{}, cairn.Token{}, failure
		}
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return c.locateAlone(ctx, keyspace, key, reading, failure)
}

// locateAlone is Locate by a call of its own, after a failure if that is set.
func (c *Client) locateAlone(ctx context.Context, keyspace string, key cairn.Key, reading cairn.Reading, failure *cairn.Error) (cairn.Location, cairn.Token, error) {
	if failure != nil && !rest(ctx, failure) {
		return cairn.Location{}, cairn.Token{}, failure
	}
	resp, err := readAgain(ctx, c, &cairnv1.LocateRequest{
		Keyspace: keyspacePrefix + keyspace, Key: key,
		View: viewOf(reading.WithAttributes), Freshness: wire.Freshness(reading.Freshness), Choice: choiceOf(reading.Choice),
	}, c.locator.Locate, failure)
	if err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	token, err := wire.FromToken("token", resp.GetToken())
	if err != nil {
		return cairn.Location{}, cairn.Token{}, broken(err)
	}
	nodes := tableOf(resp.GetNodes())
	location, err := nodes.location(resp.GetLocation())
	if err != nil {
		return cairn.Location{}, cairn.Token{}, err
	}
	return location, token, nil
}

// rest waits before a locate that failed among others goes on by itself, but not where
// it merely was too much with them. It is false if the context would end before.
func rest(ctx context.Context, failure *cairn.Error) bool {
	switch {
	case failure.RetryAfter > 0:
		return again(ctx, failure, 1)
	case failure.Kind == cairn.KindExhausted:
		return true
	default:
		return pause(ctx, 1)
	}
}

// BatchLocate is router.Router.BatchLocate. Batches of up to 1,024 keys without
// attributes travel together as locates do.
func (c *Client) BatchLocate(ctx context.Context, keyspace string, keys []cairn.Key, reading cairn.Reading) ([]cairn.Location, cairn.Token, error) {
	deadline, has := ctx.Deadline()
	if !has {
		deadline = time.Now().Add(c.timeout)
	}
	var failure *cairn.Error
	if travels(ctx, keys, reading.WithAttributes) {
		var locations []cairn.Location
		var token cairn.Token
		if locations, token, failure = c.locates.many(ctx, deadline, keyspace, keys, reading); failure == nil {
			return c.askRest(ctx, deadline, keyspace, keys, reading, locations, token)
		}
		if !goesAlone(ctx, deadline, failure) {
			return nil, cairn.Token{}, failure
		}
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return c.batchAlone(ctx, keyspace, keys, reading, failure)
}

// askRest asks again, by themselves, for those keys of a batch that may do better so.
// What has been answered stays, whatever becomes of them. As a router's, the batch fails
// as a whole if no key could be answered.
func (c *Client) askRest(ctx context.Context, deadline time.Time, keyspace string, keys []cairn.Key, reading cairn.Reading, locations []cairn.Location, token cairn.Token) ([]cairn.Location, cairn.Token, error) {
	var positions []int
	var rest []cairn.Key
	answered := false
	for i := range locations {
		switch err := locations[i].Err; {
		case err == nil:
			answered = true
		case goesAlone(ctx, deadline, err):
			positions, rest = append(positions, i), append(rest, keys[i])
		}
	}
	if len(rest) > 0 {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		more, at, err := c.batchAlone(ctx, keyspace, rest, reading, locations[positions[0]].Err)
		if err == nil {
			for i, position := range positions {
				locations[position] = more[i]
			}
			return locations, token.Merge(at), nil
		}
	}
	if !answered {
		return nil, cairn.Token{}, locations[0].Err
	}
	return locations, token, nil
}

// batchAlone is BatchLocate by a call of its own, after a failure if that is set.
func (c *Client) batchAlone(ctx context.Context, keyspace string, keys []cairn.Key, reading cairn.Reading, failure *cairn.Error) ([]cairn.Location, cairn.Token, error) {
	req, err := batchRequest(keyspace, keys, reading)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	if failure != nil && !rest(ctx, failure) {
		return nil, cairn.Token{}, failure
	}
	resp, err := readAgain(ctx, c, req, c.locator.BatchLocate, failure)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	return fromBatch(resp, len(keys))
}

func batchRequest(keyspace string, keys []cairn.Key, reading cairn.Reading) (*cairnv1.BatchLocateRequest, error) {
	if len(keys) > cairn.MaxBatch {
		return nil, cairn.Invalid("keys", "BATCH_TOO_LARGE", "a batch of %d; a batch has 1 to %d", len(keys), cairn.MaxBatch)
	}
	req := &cairnv1.BatchLocateRequest{
		Keyspace: keyspacePrefix + keyspace, Keys: make([][]byte, len(keys)),
		View: viewOf(reading.WithAttributes), Freshness: wire.Freshness(reading.Freshness), Choice: choiceOf(reading.Choice),
	}
	size := 0
	for i, key := range keys {
		req.Keys[i] = key
		size += len(key) + 3
	}
	// What is surely within bounds need not be measured.
	if size > MaxMessageBytes/2 {
		if err := checkSize("keys", len(keys), req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// checkSize refuses a request that servers would not take by default, in
// words that say what to do.
func checkSize(what string, count int, req proto.Message) error {
	if size := proto.Size(req); size > MaxMessageBytes {
		return cairn.Invalid(what, "MESSAGE_TOO_LARGE", "%d %s make a message of %d bytes; a message has at most %d: send fewer at once", count, what, size, MaxMessageBytes)
	}
	return nil
}

func fromBatch(resp *cairnv1.BatchLocateResponse, asked int) ([]cairn.Location, cairn.Token, error) {
	token, err := wire.FromToken("token", resp.GetToken())
	if err != nil {
		return nil, cairn.Token{}, broken(err)
	}
	if len(resp.GetLocations()) != asked {
		return nil, cairn.Token{}, cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server gave %d locations to a batch of %d", len(resp.GetLocations()), asked)
	}
	nodes := tableOf(resp.GetNodes())
	out := make([]cairn.Location, asked)
	for i, location := range resp.GetLocations() {
		if out[i], err = nodes.location(location); err != nil {
			return nil, cairn.Token{}, err
		}
	}
	return out, token, nil
}

// List is router.Router.List.
func (c *Client) List(ctx context.Context, keyspace string, over cairn.Range, freshness cairn.Freshness) (cairn.Page, error) {
	if over.PageSize < 0 || over.PageSize > cairn.MaxBatch {
		return cairn.Page{}, cairn.Invalid("page_size", "PAGE_SIZE", "a page size of %d; it is 1 to %d, or 0", over.PageSize, cairn.MaxBatch)
	}
	resp, err := read(ctx, c, &cairnv1.ListEntriesRequest{
		Parent: keyspacePrefix + keyspace, PageSize: int32(over.PageSize), PageToken: over.PageToken,
		StartKey: over.Start, EndKey: over.End, Freshness: wire.Freshness(freshness),
	}, c.locator.ListEntries)
	if err != nil {
		return cairn.Page{}, err
	}
	page := cairn.Page{Entries: make([]cairn.NamedEntry, len(resp.GetEntries())), NextPageToken: resp.GetNextPageToken()}
	if page.Token, err = wire.FromToken("token", resp.GetToken()); err != nil {
		return cairn.Page{}, broken(err)
	}
	nodes := tableOf(resp.GetNodes())
	for i, entry := range resp.GetEntries() {
		if page.Entries[i], err = nodes.entry(entry); err != nil {
			return cairn.Page{}, err
		}
	}
	return page, nil
}

// Explain is router.Router.Explain. Its timings are the router's; the shard's
// keyspace has no uid.
func (c *Client) Explain(ctx context.Context, keyspace string, key cairn.Key, freshness cairn.Freshness) (cairn.Explanation, error) {
	resp, err := read(ctx, c, &cairnv1.ExplainKeyRequest{
		Keyspace: keyspacePrefix + keyspace, Key: key, Freshness: wire.Freshness(freshness),
	}, c.locator.ExplainKey)
	if err != nil {
		return cairn.Explanation{}, err
	}
	id, err := shardID(resp.GetShard())
	if err != nil {
		return cairn.Explanation{}, err
	}
	out := cairn.Explanation{
		PlacementKey: resp.GetPlacementKey(),
		Shard:        cairn.Shard{ID: id, Start: resp.GetShardStart(), End: resp.GetShardEnd(), Epoch: resp.GetEpoch()},
		Cluster:      bareName(resp.GetCluster()), Replica: resp.GetIndexReplica(),
		MapRevision: resp.GetMapRevision(), Revision: resp.GetIndexMapRevision(), Stamp: cairn.Stamp{Epoch: resp.GetEpoch(), Index: resp.GetIndex()},
		Cache: cairn.CacheOutcome(resp.GetCache()),
	}
	if out.Token, err = wire.FromToken("token", resp.GetToken()); err != nil {
		return cairn.Explanation{}, broken(err)
	}
	nodes := tableOf(resp.GetNodes())
	if out.Location, err = nodes.location(resp.GetLocation()); err != nil {
		return cairn.Explanation{}, err
	}
	out.Location.Cluster = out.Cluster
	for _, timing := range resp.GetTimings() {
		out.Timings = append(out.Timings, cairn.Timing{Layer: timing.GetLayer(), Duration: timing.GetDuration().AsDuration()})
	}
	return out, nil
}

// broken is for an answer that no server of Cairn gives.
func broken(err error) error {
	return cairn.Errorf(cairn.KindInternal, "ANSWER_BROKEN", "the server's answer can't be read: %w", rpcerr.FromError(err))
}
