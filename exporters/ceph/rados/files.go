package rados

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// checkFiles looks at the files before librados does, which tells a missing
// conf, a missing keyring and one without the user's key apart by the same two
// numbers.
func checkFiles(cfg Config) error {
	problem := func(err error, hint string) error {
		return &Error{Op: "read files", Config: cfg, Code: errnoOf(err), Err: err, Hint: hint}
	}
	conf, err := os.Open(cfg.Conf)
	if err != nil {
		return problem(err, "give the path of the cluster's ceph.conf, readable by this user")
	}
	conf.Close()
	if cfg.Keyring == "" {
		return nil
	}
	keyring, err := os.Open(cfg.Keyring)
	if err != nil {
		return problem(err, "give the path of a keyring that holds "+cfg.User+", readable by this user")
	}
	defer keyring.Close()
	if !holdsKeyOf(keyring, cfg.User) {
		return problem(fmt.Errorf("keyring %s has no section [%s]: %w", cfg.Keyring, cfg.User, fs.ErrNotExist), "give the file that \"ceph auth get "+cfg.User+"\" wrote")
	}
	return nil
}

// holdsKeyOf looks for the section's name only; the key itself is not read.
func holdsKeyOf(r io.Reader, user string) bool {
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "["+user+"]" {
			return true
		}
	}
	return false
}

func errnoOf(err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return int(syscall.ENOENT)
	case errors.Is(err, fs.ErrPermission):
		return int(syscall.EACCES)
	}
	return 0
}
