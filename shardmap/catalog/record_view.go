package catalog

import (
	"errors"
	"slices"

	"cairn"
)

// viewRecord is a View as it is stored.
type viewRecord struct {
	UID         cairn.UID           `json:"uid"`
	Name        string              `json:"name"`
	Keyspace    cairn.UID           `json:"keyspace"`
	Fields      []cairn.AttributeID `json:"fields,omitempty"`
	Spelling    string              `json:"spelling,omitempty"`
	Serving     *versionRecord      `json:"serving,omitempty"`
	Building    *versionRecord      `json:"building,omitempty"`
	NextVersion uint64              `json:"next_version"`
}

type versionRecord struct {
	Number           uint64              `json:"number"`
	Filter           string              `json:"filter,omitempty"`
	FilterAttributes []cairn.AttributeID `json:"filter_attributes,omitempty"`
	Sort             []sortRecord        `json:"sort,omitempty"`
}

type sortRecord struct {
	Attribute  cairn.AttributeID `json:"attribute"`
	Descending bool              `json:"descending,omitempty"`
}

// EncodeView writes a view's record.
func EncodeView(v *View) []byte {
	return encode(viewRecord{
		UID: v.UID, Name: v.Name, Keyspace: v.Keyspace, Fields: v.Fields, Spelling: v.Spelling,
		Serving: v.Serving.record(), Building: v.Building.record(), NextVersion: v.NextVersion,
	})
}

func (v *ViewVersion) record() *versionRecord {
	if v == nil {
		return nil
	}
	out := &versionRecord{Number: v.Number, Filter: v.Filter, FilterAttributes: v.FilterAttributes}
	for _, field := range v.Sort {
		out.Sort = append(out.Sort, sortRecord(field))
	}
	return out
}

// DecodeView reads a view's record that was stored at modRevision. Anything
// that EncodeView does not write is refused as KindCorrupt.
func DecodeView(data []byte, modRevision uint64) (*View, error) {
	var record viewRecord
	if err := DecodeStrictly(data, &record); err != nil {
		return nil, corrupt("view", err)
	}
	v := &View{
		UID: record.UID, Name: record.Name, Keyspace: record.Keyspace, Fields: record.Fields, Spelling: record.Spelling,
		Serving: record.Serving.version(), Building: record.Building.version(), NextVersion: record.NextVersion, Revision: modRevision,
	}
	if v.UID == 0 || v.Keyspace == 0 || ValidateName(v.Name) != nil || len(v.Spelling) > MaxFilterBytes || !distinct(v.Fields) {
		return nil, corrupt("view", errors.New("a field out of its range"))
	}
	if v.Declared() == nil {
		return nil, corrupt("view", errors.New("neither a version that serves nor one that is built"))
	}
	var last uint64
	for _, version := range []*ViewVersion{v.Serving, v.Building} {
		if version == nil {
			continue
		}
		if version.Number <= last || version.Number >= v.NextVersion || !version.valid() {
			return nil, corrupt("view", errors.New("a version out of its range"))
		}
		last = version.Number
	}
	return v, nil
}

func (r *versionRecord) version() *ViewVersion {
	if r == nil {
		return nil
	}
	out := &ViewVersion{Number: r.Number, Filter: r.Filter, FilterAttributes: r.FilterAttributes}
	for _, field := range r.Sort {
		out.Sort = append(out.Sort, cairn.SortField(field))
	}
	return out
}

func (v *ViewVersion) valid() bool {
	var sort []cairn.AttributeID
	for _, field := range v.Sort {
		sort = append(sort, field.Attribute)
	}
	return len(v.Filter) <= MaxFilterBytes && len(sort) <= cairn.MaxSortFields && distinct(sort) && distinct(v.FilterAttributes)
}

// distinct tells whether ids are ids, and none stands twice.
func distinct(ids []cairn.AttributeID) bool {
	sorted := slices.Sorted(slices.Values(ids))
	return !slices.Contains(ids, 0) && len(slices.Compact(sorted)) == len(ids)
}
