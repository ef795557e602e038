package spawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
)

// ProfileFolder is the environment variable that names a folder for profiles.
const ProfileFolder = "CAIRN_BENCH_PROFILE"

// CPUProfile ends the names of profiles of processor time.
const CPUProfile = ".cpu.pprof"

// One of so many waits for a mutex is noted, and those of a time, in nanoseconds,
// that other waits add up to: so many that it costs little.
const (
	mutexFraction = 100
	blockRate     = 1_000_000
)

// ProfileAsked is Profile in the folder that ProfileFolder names; without one it does
// nothing. The profiles are named by the part that the process plays, from its
// arguments, or else by its program.
func ProfileAsked(args []string) (stop func() error, err error) {
	folder := os.Getenv(ProfileFolder)
	if folder == "" {
		return func() error { return nil }, nil
	}
	part := filepath.Base(os.Args[0])
	if len(args) > 1 && args[0] == Verb {
		part = args[1]
		if len(args) > 2 {
			part += "-" + filepath.Base(args[2])
		}
	}
	return Profile(folder, part)
}

// Profile has this process note where it spends processor time, from now until stop,
// and what it allocates and waits for, since it began. stop writes PART.cpu.pprof,
// PART.allocs.pprof, PART.block.pprof and PART.mutex.pprof; a further process of that
// part writes PART-2.cpu.pprof and so on.
func Profile(folder, part string) (stop func() error, err error) {
	file, path, err := fresh(folder, part)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("profile: %w", err), file.Close())
	}
	runtime.SetMutexProfileFraction(mutexFraction)
	runtime.SetBlockProfileRate(blockRate)
	return func() error {
		pprof.StopCPUProfile()
		errs := []error{file.Close()}
		for _, kind := range []string{"allocs", "block", "mutex"} {
			errs = append(errs, write(path+"."+kind+".pprof", pprof.Lookup(kind)))
		}
		return errors.Join(errs...)
	}, nil
}

// fresh makes the first file of a part, and says how the others' names begin.
func fresh(folder, part string) (file *os.File, path string, err error) {
	for n := 1; ; n++ {
		path = filepath.Join(folder, part)
		if n > 1 {
			path = fmt.Sprintf("%s-%d", path, n)
		}
		file, err = os.OpenFile(path+CPUProfile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, fs.ErrExist) {
			return file, path, err
		}
	}
}

func write(path string, profile *pprof.Profile) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(profile.WriteTo(file, 0), file.Close())
}

// PartOf is the part that a profile of processor time is of.
func PartOf(path string) string { return strings.TrimSuffix(filepath.Base(path), CPUProfile) }
