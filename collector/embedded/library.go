package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LibraryName is the file that FindLibrary looks for.
const LibraryName = "libchdb.so"

// LibraryEnv is the environment variable that names the library's file.
const LibraryEnv = "MCLOUD_LIBCHDB"

// ErrNoLibrary is returned when libchdb.so is nowhere to be found.
var ErrNoLibrary = errors.New("the embedded store needs " + LibraryName)

// libraryDirs are the directories that deploy/libchdb/install installs into,
// for root and for everybody else.
func libraryDirs() []string {
	dirs := []string{"/usr/local/lib/chdb"}
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "mcloud", "chdb"))
	}
	return dirs
}

// FindLibrary returns the library's path: the one given, else the one that
// MCLOUD_LIBCHDB names, else the first of the installation directories that has
// it. The error wraps ErrNoLibrary and says how to install it.
func FindLibrary(given string) (string, error) {
	for _, named := range []struct{ path, by string }{{given, "the configuration"}, {os.Getenv(LibraryEnv), LibraryEnv}} {
		if named.path == "" {
			continue
		}
		if _, err := os.Stat(named.path); err != nil {
			return "", fmt.Errorf("%w: %s names %s: %w", ErrNoLibrary, named.by, named.path, errors.Unwrap(err))
		}
		return filepath.Abs(named.path)
	}
	dirs := libraryDirs()
	for _, dir := range dirs {
		path := filepath.Join(dir, LibraryName)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: %w", ErrNoLibrary, err)
		}
	}
	return "", fmt.Errorf("%w: not in %s and %s is not set; install it with deploy/libchdb/install (as root for all users), or use a ClickHouse server with --store.url", ErrNoLibrary, strings.Join(dirs, ", "), LibraryEnv)
}
