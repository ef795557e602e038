package indexv1

import (
	"encoding/binary"
	"errors"
	"slices"

	"cairn"
)

// Flags of a mutation: its operation in the low two bits, whether it has a
// condition, and whether that names a version.
const (
	mutationOperation   = 0b0011
	mutationConditional = 0b0100
	mutationVersioned   = 0b1000
)

// AppendMutations packs WriteRequest.mutations.
func AppendMutations(out []byte, mutations []cairn.Mutation) []byte {
	out = binary.AppendUvarint(out, uint64(len(mutations)))
	for i := range mutations {
		each := &mutations[i]
		flags := byte(each.Operation)
		if each.Condition.Present {
			flags |= mutationConditional
			if !each.Condition.Version.IsZero() {
				flags |= mutationVersioned
			}
		}
		out = appendHead(out, flags, len(each.Nodes))
		out = appendBytes(out, each.Key)
		if flags&mutationVersioned != 0 {
			out = appendVersion(out, cairn.Stamp{}, each.Condition.Version)
		}
		out = appendNodes(out, each.Nodes)
		if each.Operation != cairn.Delete {
			out = appendBytes(out, each.Attributes)
		}
	}
	return out
}

// DecodeMutations appends what AppendMutations packed to mutations. Keys and
// attributes are slices of blob. It fails as DecodeKeys does.
func DecodeMutations(blob []byte, mutations []cairn.Mutation) ([]cairn.Mutation, error) {
	r := reader{rest: blob}
	n := r.count(2)
	if err := checkBatch("mutations", n); err != nil {
		return nil, err
	}
	mutations = slices.Grow(mutations, n)
	var arena []cairn.NodeID
	for range n {
		flags, nodes := r.head()
		each := cairn.Mutation{Operation: cairn.Operation(flags & mutationOperation), Key: r.bytes()}
		if each.Operation == 0 || flags&mutationVersioned != 0 && flags&mutationConditional == 0 {
			r.fail()
		}
		each.Condition.Present = flags&mutationConditional != 0
		if flags&mutationVersioned != 0 {
			each.Condition.Version = r.version(cairn.Stamp{})
		}
		each.Nodes, arena = r.nodes(nodes, arena)
		if each.Operation != cairn.Delete {
			each.Attributes = r.bytes()
		}
		if r.failed {
			break
		}
		mutations = append(mutations, each)
	}
	if !r.done() {
		return nil, broken("mutations")
	}
	return mutations, nil
}

// Flags of a written result.
const (
	writtenFailed   = 0b0001
	writtenExisted  = 0b0010
	writtenNewEpoch = 0b0100
	writtenNewIndex = 0b1000
)

// AppendWritten packs WriteResponse.results.
func AppendWritten(out []byte, results []cairn.Written) []byte {
	out = binary.AppendUvarint(out, uint64(len(results)))
	var last cairn.Stamp
	for i := range results {
		each := &results[i]
		var flags byte
		if each.Err != nil {
			flags |= writtenFailed
		}
		if each.Existed {
			flags |= writtenExisted
		}
		if each.Stamp.Epoch != last.Epoch {
			flags |= writtenNewEpoch
		}
		if each.Stamp.Index != last.Index {
			flags |= writtenNewIndex
		}
		out = appendHead(out, flags, len(each.Nodes))
		if flags&writtenNewEpoch != 0 {
			out = appendDelta(out, last.Epoch, each.Stamp.Epoch)
		}
		if flags&writtenNewIndex != 0 {
			out = appendDelta(out, last.Index, each.Stamp.Index)
		}
		last = each.Stamp
		out = appendNodes(out, each.Nodes)
		if each.Err != nil {
			out = appendError(out, each.Err)
			continue
		}
		out = appendVersion(out, each.Stamp, each.Version)
	}
	return out
}

// DecodeWritten appends what AppendWritten packed to results. Nothing of it
// refers to blob but the keys of errors. It fails as DecodeKeys does.
func DecodeWritten(blob []byte, results []cairn.Written) ([]cairn.Written, error) {
	r := reader{rest: blob}
	n := r.count(2)
	if err := checkBatch("results", n); err != nil {
		return nil, err
	}
	results = slices.Grow(results, n)
	var arena []cairn.NodeID
	var last cairn.Stamp
	for i := range n {
		flags, nodes := r.head()
		if flags&writtenNewEpoch != 0 {
			last.Epoch = r.delta(last.Epoch)
		}
		if flags&writtenNewIndex != 0 {
			last.Index = r.delta(last.Index)
		}
		each := cairn.Written{Existed: flags&writtenExisted != 0, Stamp: last}
		if nodes > 0 && arena == nil {
			arena = make([]cairn.NodeID, 0, min((n-i)*nodes, len(r.rest)))
		}
		each.Nodes, arena = r.nodes(nodes, arena)
		if flags&writtenFailed != 0 {
			each.Err = r.error()
		} else {
			each.Version = r.version(each.Stamp)
		}
		if r.failed {
			break
		}
		results = append(results, each)
	}
	if !r.done() {
		return nil, broken("results")
	}
	return results, nil
}

// appendError packs the error of one mutation. What its Err wraps becomes
// text.
func appendError(out []byte, e *cairn.Error) []byte {
	var message string
	if e.Err != nil {
		message = e.Err.Error()
	}
	out = append(out, byte(e.Kind))
	out = appendBytes(out, []byte(e.Reason))
	out = appendBytes(out, []byte(e.Op))
	out = appendBytes(out, []byte(e.Field))
	out = appendBytes(out, e.Key)
	return appendBytes(out, []byte(message))
}

func (r *reader) error() *cairn.Error {
	e := &cairn.Error{Kind: cairn.Kind(r.byte())}
	e.Reason = string(r.bytes())
	e.Op = string(r.bytes())
	e.Field = string(r.bytes())
	e.Key = r.bytes()
	if message := r.bytes(); message != nil {
		e.Err = errors.New(string(message))
	}
	if e.Kind > cairn.KindUnimplemented {
		r.fail()
	}
	return e
}
