package app

import (
	"cmp"
	"runtime/debug"
)

// BuildInfo returns what this program was built from, as far as the build recorded it.
func BuildInfo() (version, commit string) {
	version, commit = "devel", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, commit
	}
	if info.Main.Version != "(devel)" {
		version = cmp.Or(info.Main.Version, version)
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return version, commit
}
