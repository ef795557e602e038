// Package durable makes files survive a crash. Each act that does so is a step with
// a name, and a test that watches a Disk stands before and after every one:
//
//	err := disk.Sync(durable.Image, file)
//	...
//	err = disk.Rename(durable.Image, file.Name(), path)
//
// What is written without a step may be on the disk after a crash or not, each
// sector of it, and so may a name until its directory is synced. A Disk that
// nobody watches does the same as package os.
package durable
