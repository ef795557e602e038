package router

import (
	"time"

	"cairn"
)

// Router answers requests by the maps of its Topology and the node indexes of
// their clusters. Its methods may be called at the same time.
type Router struct {
	config      Config
	timeout     time.Duration
	connections *connections
	holds       *holds
	viewFlights viewFlights
	pageFlights pageFlights
	kept        *keptAnswers
	located     *located // nil without a cache
	// fleetFlights are of their own: what indexes are being asked never waits for
	// another router, and so no two routers wait for each other.
	fleetFlights fleetFlights
}

// New makes a Router. It waits for nothing: while there is no map, requests
// fail with KindUnavailable and the reason MAP_MISSING.
func New(config Config) (*Router, error) {
	if config.Topology == nil || config.Dial == nil {
		return nil, cairn.Errorf(cairn.KindInvalid, "CONFIG_INCOMPLETE", "a router needs a Topology and a Dial")
	}
	if config.Timeout < 0 {
		return nil, cairn.Invalid("timeout", "TIMEOUT_NEGATIVE", "a timeout of %s", config.Timeout)
	}
	if config.KeptBytes < 0 {
		return nil, cairn.Invalid("kept_bytes", "KEPT_BYTES_NEGATIVE", "room for %d bytes of answers", config.KeptBytes)
	}
	if err := config.Cache.prepare(); err != nil {
		return nil, err
	}
	r := &Router{config: config, kept: newKeptAnswers(config.KeptBytes), timeout: config.Timeout, holds: &holds{topology: config.Topology, limits: config.Hold.withDefaults()}}
	if r.timeout == 0 {
		r.timeout = DefaultTimeout
	}
	r.viewFlights.Patience, r.fleetFlights.Patience = r.timeout, r.timeout
	r.connections = &connections{
		dial: config.Dial, release: config.Release, grace: r.timeout,
		byCluster: make(map[cairn.UID]*connection),
		leaving:   make(map[*connection]*time.Timer),
	}
	if config.Cache.Bytes > 0 {
		r.located = newLocated(r, config.Cache)
	}
	return r, nil
}

// Close releases the node indexes. Requests that are under way may fail, and
// later ones do.
func (r *Router) Close() {
	if r.located != nil {
		r.located.close()
	}
	r.connections.close()
}

// ended tells the listener how a request ended.
func (r *Router) ended(verb Verb, keyspace string, keys, failed int, began time.Time, err error) {
	if r.config.Events.Request == nil {
		return
	}
	if err != nil {
		failed = keys
	}
	r.config.Events.Request(RequestEvent{Verb: verb, Keyspace: keyspace, Keys: keys, Failed: failed, Duration: time.Since(began), Err: err})
}

// questioned tells the listener where a question's answer came from.
func (r *Router) questioned(event QuestionEvent) {
	if r.config.Events.Question != nil {
		r.config.Events.Question(event)
	}
}

// began is when a request began, if anyone wants to know.
func (r *Router) began() time.Time {
	if r.config.Events.Request == nil {
		return time.Time{}
	}
	return time.Now()
}
