package embedded

import (
	"fmt"
	"regexp"
	"strconv"
)

// Codes of ClickHouse exceptions that the HTTP interface itself raises or
// turns into a status (src/Common/ErrorCodes.cpp, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp).
const (
	codeCannotReadAll   = 33
	codeNotImplemented  = 48
	codeUnknownTable    = 60
	codeSyntax          = 62
	codeUnknownDatabase = 81
	codeTimeout         = 159
	codeReadonly        = 164
	codeTooMany         = 202
	codeTooManyBytes    = 307
	codeCancelled       = 394
	codeAccessDenied    = 497
	codeAuthentication  = 516
)

// exception is an error of the engine in the words a ClickHouse server uses.
type exception struct {
	code int
	text string // starts with "Code: N. DB::Exception: "
}

func (e *exception) Error() string { return e.text }

var exceptionCode = regexp.MustCompile(`Code: (\d+)\.`)

func newException(text string) *exception {
	e := &exception{text: text, code: 1001} // STD_EXCEPTION
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		e.code, _ = strconv.Atoi(m[1])
	} else {
		e.text = fmt.Sprintf("Code: %d. DB::Exception: %s", e.code, text)
	}
	return e
}

func exceptionf(code int, name, format string, args ...any) *exception {
	return &exception{code: code, text: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), name)}
}
