package exporters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{context.DeadlineExceeded, KindTimeout},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), KindTimeout},
		{&net.OpError{Err: &os.SyscallError{Err: syscall.ECONNREFUSED}}, KindRefused},
		{&net.DNSError{IsNotFound: true}, KindRefused},
		{&net.DNSError{IsTimeout: true}, KindTimeout},
		{fmt.Errorf("page: %w", json.Unmarshal([]byte(`{"a":`), &struct{}{})), KindDecode},
		{json.Unmarshal([]byte(`"x"`), new(int)), KindDecode},
		{fmt.Errorf("page: %w", jsonv1.Unmarshal([]byte(`{"a":`), &struct{}{})), KindDecode},
		{jsonv1.Unmarshal([]byte(`"x"`), new(int)), KindDecode},
		{fs.ErrPermission, KindForbidden},
		{fmt.Errorf("%w: no endpoint", ErrAbsent), KindNotFound},
		{fmt.Errorf("nova: %w", WithKind(errors.New("x"), KindThrottled)), KindThrottled},
		{ObjectError{"osd.1", WithKind(errors.New("x"), KindServerError)}, KindServerError},
		{errors.New("x"), KindOther},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %q, want %q", c.err, got, c.want)
		}
	}
	for code, want := range map[int]string{401: KindUnauthorized, 403: KindForbidden, 404: KindNotFound, 429: KindThrottled, 500: KindServerError, 503: KindServerError, 504: KindTimeout, 418: KindOther} {
		if got := HTTPKind(code); got != want {
			t.Errorf("HTTPKind(%d) = %q, want %q", code, got, want)
		}
	}
}
