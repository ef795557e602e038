package records

import (
	"encoding/json"

	"cairn"
	"cairn/cmd/cairn/keytext"
)

// Record is an entry as JSON has it; see the package's documentation.
type Record struct {
	Key         string     `json:"key"`
	KeyEncoding string     `json:"key_encoding,omitempty"`
	Node        string     `json:"node"`
	Replicas    []string   `json:"replicas,omitempty"`
	Attributes  Attributes `json:"attributes"`
}

// NewRecord makes the record of an entry.
func NewRecord(encoding keytext.Encoding, entry cairn.NamedEntry) Record {
	r := Record{Node: entry.Primary.Name, Attributes: Attributes(entry.Attributes)}
	r.Key, r.KeyEncoding = encoding.JSON(entry.Key)
	for _, replica := range entry.Replicas {
		r.Replicas = append(r.Replicas, replica.Name)
	}
	return r
}

// Attributes are attribute values as a JSON object, in order of name.
type Attributes cairn.NamedValues

// MarshalJSON writes an object, with no field for an absent attribute.
func (a Attributes) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, each := range a {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(each.Name)
		if err != nil {
			return nil, err
		}
		value, err := each.Value.MarshalJSON()
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}
