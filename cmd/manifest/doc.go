// Package manifest reads and writes what operators declare, as YAML: one
// document a resource, of the kinds Keyspace, Cluster and View.
//
// Reading is strict. A field that is not known, stands twice or has the wrong
// type is refused, with file, line and column, the field's path and what is
// allowed; so is what a declaration may not say by itself (a bad name, a
// cluster without nodes). What only the server can refuse, such as a changed
// attribute type, names its field; File.Position says where that field stands
// in the file. An error in a view's filter has the place inside the filter
// beside that of the filter's text in the file. Anchors, aliases and merge keys are refused: a declaration is
// read by people.
//
// What Write writes is read back as the same resources. Splits that are not
// UTF-8 are written and read with YAML's tag !!binary.
package manifest
