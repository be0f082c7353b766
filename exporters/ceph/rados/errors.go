package rados

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// Error is what went wrong with one cluster and what to do about it.
type Error struct {
	Op     string // "connect", "command", "read conf"
	Config Config
	Code   int // errno of librados, positive; 0 when it has none
	Err    error
	Hint   string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("ceph cluster %s: %s as %s with %s: %v", e.Config.Name, e.Op, e.Config.User, e.Config.Conf, e.Err)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is find the cluster's error number: errors.Is(err, syscall.EAGAIN).
func (e *Error) Is(target error) bool {
	code, ok := target.(syscall.Errno)
	return ok && e.Code != 0 && syscall.Errno(e.Code) == code
}

// Connecting says that there was no connection to send anything over.
func (e *Error) Connecting() bool { return e.Op == "connect" }

// Kind is the word for it in counts of errors.
func (e *Error) Kind() string {
	switch syscall.Errno(e.Code) {
	case syscall.ETIMEDOUT:
		return "timeout"
	case syscall.EACCES, syscall.EPERM:
		if e.Op == "connect" {
			return "unauthorized"
		}
		return "forbidden"
	case syscall.ENOENT:
		return "not_found"
	case syscall.ECONNREFUSED, syscall.ENOTCONN, syscall.ESHUTDOWN:
		return "refused"
	}
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "other"
}

func (e *Error) timeout() bool { return syscall.Errno(e.Code) == syscall.ETIMEDOUT }

// lost says that the handle will not work again: the cluster has shut it out.
func (e *Error) lost() bool {
	switch syscall.Errno(e.Code) {
	case syscall.ENOTCONN, syscall.ESHUTDOWN:
		return true
	}
	return false
}

// explain names the cause of a librados error number and its cure. The number
// may have either sign: commands of the mgr time out with +110, others with -110.
func explain(op string, cfg Config, status string, err error) *Error {
	e := &Error{Op: op, Config: cfg, Err: err}
	var coded interface{ ErrorCode() int }
	if errors.As(err, &coded) {
		if e.Code = coded.ErrorCode(); e.Code < 0 {
			e.Code = -e.Code
		}
	}
	if status != "" {
		e.Err = fmt.Errorf("%w: %.300s", err, status)
	}
	if op == "connect" {
		e.Hint = connectHint(cfg, syscall.Errno(e.Code))
	} else {
		e.Hint = commandHint(cfg, syscall.Errno(e.Code))
	}
	return e
}

func connectHint(cfg Config, code syscall.Errno) string {
	keyring := "the keyring that the conf names"
	if cfg.Keyring != "" {
		keyring = "keyring " + cfg.Keyring
	}
	switch code {
	case syscall.ENOENT:
		return fmt.Sprintf("no key of %s was found in %s: name the file that holds it, or check that the cluster is called %q in its path", cfg.User, keyring, cfg.ClusterName)
	case syscall.EACCES, syscall.EPERM:
		return fmt.Sprintf("the monitors refuse the key of %s in %s: compare it with \"ceph auth get %s\"", cfg.User, keyring, cfg.User)
	case syscall.EINVAL:
		return fmt.Sprintf("the key of %s in %s is malformed, or the conf names no monitors", cfg.User, keyring)
	case syscall.ETIMEDOUT:
		return fmt.Sprintf("no monitor of mon_host answered within %v: check that they run, have quorum and can be reached", cfg.ConnectTimeout)
	}
	return ""
}

func commandHint(cfg Config, code syscall.Errno) string {
	switch code {
	case syscall.EACCES, syscall.EPERM:
		return fmt.Sprintf("%s lacks capabilities: ceph auth caps %s mon 'allow r' mgr 'allow r' osd 'allow r'", cfg.User, cfg.User)
	case syscall.ETIMEDOUT:
		return fmt.Sprintf("no answer within %v: the monitors have no quorum, or no manager is active", cfg.CommandTimeout)
	case syscall.ENOTCONN, syscall.ESHUTDOWN:
		return "the cluster has shut this client out; it connects again by itself"
	}
	return ""
}

// hungError is for a call that outlived librados's own timeouts.
func hungError(op string, cfg Config) *Error {
	return &Error{Op: op, Config: cfg, Err: fmt.Errorf("librados hangs: %w", context.DeadlineExceeded),
		Hint: "its connection is left alone and a new one opened later"}
}
