package clickhouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/ClickHouse/clickhouse-go/v2"
)

var (
	// ErrUnavailable: the store is away, busy or out of room now. The same call
	// may succeed later.
	ErrUnavailable = errors.New("the store is not available")
	// ErrRefused: user or password are wrong, or the user may not do this.
	ErrRefused = errors.New("the store refuses the user")
	// ErrNoDatabase: the database does not exist.
	ErrNoDatabase = errors.New("the store has no such database")
	// ErrOldServer: the server is older than mcloud can use.
	ErrOldServer = errors.New("the ClickHouse server is too old")
	// ErrNewerSchema: a newer mcloud has been here.
	ErrNewerSchema = errors.New("the store's schema is newer than this program")
	// ErrTooMuch: the answer would be larger than allowed; ask for less.
	ErrTooMuch = errors.New("the answer is too large")
)

// Exception codes of ClickHouse, src/Common/ErrorCodes.cpp.
const (
	codeUnknownTable    = 60
	codeUnknownSetting  = 115
	codeUnknownDatabase = 81
)

// transient are the codes of a server that is fine but cannot do it now.
var transient = map[int32]bool{
	3: true, 159: true, 160: true, // unexpected end of file, timeout, too slow
	202: true, 203: true, 209: true, 210: true, // too many queries, no free connection, socket timeout, network
	225: true, 241: true, 242: true, 243: true, // no Keeper, memory, read-only table, no space
	252: true, 279: true, 285: true, 286: true, 289: true, 319: true, 519: true, // too many parts, no replica, quorum, unknown state of insert, no shard
	394: true, 439: true, 745: true, 999: true, // cancelled, threads, overloaded, Keeper
}

// denied are the codes that a user, not the data, is to blame for.
var denied = map[int32]bool{192: true, 193: true, 194: true, 291: true, 497: true, 516: true}

// brief is an error in fewer words.
type brief struct {
	error
	text string
}

func (b brief) Error() string { return b.text }
func (b brief) Unwrap() error { return b.error }

// short leaves out the driver's own steps, and the URL of a request, which
// repeats the address and carries every setting.
func short(err error) error {
	var ex *clickhouse.Exception
	var request *url.Error
	switch {
	case errors.As(err, &ex):
		return brief{err, ex.Error()}
	case errors.As(err, &request):
		return brief{err, request.Err.Error()}
	case errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		return brief{err, "no connection within " + dialTimeout.String() + ": it hangs or is overloaded"}
	}
	return err
}

// wrap says what was being done, where, and which of the errors above it is.
// nil stays nil, and the caller's own cancellation stays what it is.
func (db *DB) wrap(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	at := fmt.Sprintf("%s (database %s at %s)", doing, db.options.Database, db.options.URL)
	var (
		ex     *clickhouse.Exception
		answer *clickhouse.HTTPError
		netErr net.Error
		ca     x509.UnknownAuthorityError
		cert   *tls.CertificateVerificationError
	)
	err = short(err)
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", at, err)
	case errors.As(err, &ex) && denied[ex.Code]:
		return fmt.Errorf("%w %s: %s: check store.user and its password: %w", ErrRefused, db.options.User, at, err)
	case errors.As(err, &ex) && ex.Code == codeUnknownDatabase:
		return fmt.Errorf("%w: %s: create it with CREATE DATABASE %s ENGINE = Atomic, or name another with store.database: %w", ErrNoDatabase, at, db.options.Database, err)
	case errors.As(err, &ex) && ex.Code == codeUnknownSetting:
		return fmt.Errorf("%w: %s: mcloud needs ClickHouse %d.%d or newer: %w", ErrOldServer, at, minVersion[0], minVersion[1], err)
	case errors.As(err, &ex) && ex.Code == codeUnknownTable:
		return fmt.Errorf("%w: %s: the schema is not there yet, mcloud collector creates it when it starts: %w", ErrUnavailable, at, err)
	case errors.As(err, &ex) && transient[ex.Code]:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, at, err)
	case errors.As(err, &ex):
		return fmt.Errorf("%s: %w", at, err)
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w %s: %s: check store.user and its password: %w", ErrRefused, db.options.User, at, err)
	case errors.As(err, &answer) && answer.StatusCode >= 500:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, at, err)
	case errors.As(err, &answer):
		return fmt.Errorf("%s: is that ClickHouse's HTTP port? %w", at, err)
	case errors.As(err, &ca), errors.As(err, &cert):
		return fmt.Errorf("%s: the server's certificate is not trusted, name its CA with store.ca: %w", at, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens there: %s: %w", ErrUnavailable, at, err)
	case errors.As(err, &netErr), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, clickhouse.ErrAcquireConnTimeout), errors.Is(err, clickhouse.ErrConnectionClosed):
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, at, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}
