// Package crashtest is for tests of what a crash leaves. A Recorder watches a
// durable.Disk over one directory, and keeps a Moment for each point that is
// passed: what the files were, and what of it had been synced. A kill leaves the
// first. A loss of power leaves any state between both: a Loss is one of them.
//
// It takes a disk to write sectors of 512 bytes each as a whole or not at all, in
// any order; to keep what is synced; and to show a name as it was before or after
// each change that its directory was not synced behind.
package crashtest
