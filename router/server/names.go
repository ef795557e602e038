package server

import (
	"strconv"
	"strings"

	"cairn"
)

// Resource names, as in AIP-122.
const (
	keyspacePrefix = "keyspaces/"
	clusterPrefix  = "clusters/"
	viewPrefix     = "views/"
	movePrefix     = "moves/"
	shardInfix     = "/shards/"
)

// keyspaceName reads "keyspaces/<name>" from a field.
func keyspaceName(field, resource string) (string, error) {
	return resourceName(field, keyspacePrefix, resource)
}

// clusterName reads "clusters/<name>" from a field.
func clusterName(field, resource string) (string, error) {
	return resourceName(field, clusterPrefix, resource)
}

// viewName reads "views/<name>" from a field.
func viewName(field, resource string) (string, error) {
	return resourceName(field, viewPrefix, resource)
}

func resourceName(field, prefix, resource string) (string, error) {
	name, ok := strings.CutPrefix(resource, prefix)
	if !ok || name == "" || strings.Contains(name, "/") {
		return "", cairn.Invalid(field, "RESOURCE_NAME", "%q is not a name in full; one looks like %q", resource, prefix+"name")
	}
	return name, nil
}

func shardName(keyspace string, id cairn.ShardID) string {
	return keyspacePrefix + keyspace + shardInfix + id.String()
}

// parseShardName reads "keyspaces/<name>/shards/<id>" from a field.
func parseShardName(field, resource string) (string, cairn.ShardID, error) {
	parent, number, ok := strings.Cut(resource, shardInfix)
	keyspace, err := keyspaceName(field, parent)
	id, parseErr := strconv.ParseUint(number, 10, 64)
	// One name a shard: "017" is none.
	if !ok || err != nil || parseErr != nil || cairn.ShardID(id).String() != number {
		return "", 0, cairn.Invalid(field, "RESOURCE_NAME", "%q is not a shard's name; one looks like %q", resource, "keyspaces/name/shards/17")
	}
	return keyspace, cairn.ShardID(id), nil
}
