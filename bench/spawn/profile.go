package spawn

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
)

// ProfileFolder is the environment variable that names a folder for profiles.
const ProfileFolder = "CAIRN_BENCH_PROFILE"

// Profile writes where this process spends its time, from now until stop, to a
// file in the folder that ProfileFolder names; without one it does nothing. The
// file is named by the part that the process plays, from its arguments.
func Profile(args []string) (stop func() error, err error) {
	folder := os.Getenv(ProfileFolder)
	if folder == "" {
		return func() error { return nil }, nil
	}
	part := "main"
	if len(args) > 2 && args[0] == Verb {
		part = strings.Join(args[1:3], "-")
	}
	file, err := os.Create(filepath.Join(folder, filepath.Base(part)+".pprof"))
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
