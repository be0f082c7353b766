package embedded

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxStatement bounds the text of a statement that carries no data, bytes.
const maxStatement = 16 << 20

// server is ClickHouse's HTTP interface, as far as clickhouse-go and curl use
// it: https://clickhouse.com/docs/interfaces/http.
type server struct {
	pool           *pool
	version        string
	user, password string
	maxBody        int64
	writeTimeout   time.Duration // of one piece of an answer
	enter          func() (leave func(), open bool)
}

// controls are the URL parameters that are not settings of the engine.
var controls = map[string]bool{
	"query": true, "database": true, "default_format": true, "user": true, "password": true,
	"client_protocol_version": true, "compress": true, "decompress": true, "query_id": true, "quota_key": true,
	"wait_end_of_query": true, "buffer_size": true, "session_id": true, "session_timeout": true, "session_check": true,
	"role": true, "stacktrace": true, "enable_http_compression": true, "http_zlib_compression_level": true,
	// Every statement is run under a comment of ours, to be stopped by it.
	"log_comment": true,
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", "mcloud embedded store")
	w.Header().Set("X-ClickHouse-Timezone", "UTC")
	switch {
	case r.URL.Path == "/ping" || r.URL.Path == "/replicas_status":
		fmt.Fprint(w, "Ok.\n")
		return
	case r.URL.Path != "/":
		http.Error(w, "There is no handle "+r.URL.Path+"\n\nUse / or /ping for health checks.", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead:
		http.Error(w, "GET and POST are served", http.StatusMethodNotAllowed)
		return
	}
	leave, open := s.enter()
	defer leave()
	if !open {
		fail(w, exceptionf(codeTooMany, "TOO_MANY_SIMULTANEOUS_QUERIES", "the embedded store is closing"))
		return
	}
	if err := s.answer(w, r); err != nil {
		fail(w, err)
	}
}

// request is what one HTTP request asks for.
type request struct {
	*statement
	database string
	format   string // of the answer
	settings settings
	params   []parameter
	body     io.Reader // data of an INSERT
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := s.admit(r, query); err != nil {
		return err
	}
	req, err := s.request(w, r, query)
	if err != nil {
		return err
	}
	id := query.Get("query_id")
	if id == "" {
		id = randomHex(16)
	}
	w.Header().Set("X-ClickHouse-Query-Id", id)
	if strings.HasPrefix(req.text, greetingQuery) && query.Get("client_protocol_version") != "" {
		w.Header().Set("X-ClickHouse-Format", "Native")
		_, err := w.Write(greeting(s.version))
		return ignoreWrite(err)
	}
	if req.insertFormat != "" {
		return s.insert(r.Context(), w, req)
	}
	return s.query(r.Context(), w, req)
}

// admit checks who asks. Without a password the port is open to every local
// user, but not to a web page that a local browser shows: such a request has a
// foreign Host (DNS rebinding) or an Origin.
func (s *server) admit(r *http.Request, query url.Values) error {
	user, password, given := r.BasicAuth()
	if !given {
		user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	}
	if user == "" {
		user = query.Get("user")
	}
	if password == "" {
		password = query.Get("password")
	}
	if user == "" {
		user = "default"
	}
	okUser := subtle.ConstantTimeCompare([]byte(user), []byte(s.user))
	okPassword := subtle.ConstantTimeCompare([]byte(password), []byte(s.password))
	if okUser&okPassword == 0 {
		return exceptionf(codeAuthentication, "AUTHENTICATION_FAILED", "%s: Authentication failed: password is incorrect, or there is no user with such name", user)
	}
	if s.password == "" && (r.Header.Get("Origin") != "" || !numericOrLocal(r.Host)) {
		return exceptionf(codeAuthentication, "AUTHENTICATION_FAILED", "a store without a password answers only to programs that call it by address or as localhost, not to web pages (Host %q)", r.Host)
	}
	return nil
}

func numericOrLocal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}

// request reads the statement and where its data is.
func (s *server) request(w http.ResponseWriter, r *http.Request, query url.Values) (*request, error) {
	req := &request{database: query.Get("database"), format: query.Get("default_format")}
	if req.database == "" {
		req.database = r.Header.Get("X-ClickHouse-Database")
	}
	if req.database == "" {
		req.database = "default"
	}
	if req.format == "" {
		req.format = r.Header.Get("X-ClickHouse-Format")
	}
	if req.format == "" {
		req.format = "TabSeparated"
	}
	for name, values := range query {
		switch value := values[len(values)-1]; {
		case strings.HasPrefix(name, "param_"):
			req.params = append(req.params, parameter{strings.TrimPrefix(name, "param_"), value})
		case name == "session_id" && value != "":
			return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "the embedded store has no sessions, leave session_id away")
		case (name == "compress" || name == "decompress") && value != "0" && value != "":
			return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "the embedded store does not compress on loopback, turn the client's compression off")
		case controls[name]:
		case !settingName.MatchString(name):
			return nil, exceptionf(115, "UNKNOWN_SETTING", "Unknown setting '%s'", name)
		default:
			req.settings = append(req.settings, setting{name, value})
		}
	}
	body := io.Reader(http.MaxBytesReader(w, r.Body, s.maxBody))
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("the gzip body: %w", err)
		}
		body = &limited{r: unzipped, left: s.maxBody, limit: s.maxBody}
	default:
		return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "content encoding %q is not served, use gzip or none", encoding)
	}
	text := query.Get("query")
	parsed := false
	if text != "" {
		var err error
		if req.statement, err = parse(text); err != nil {
			return nil, err
		}
		if parsed = req.insertFormat != ""; parsed {
			req.body = io.MultiReader(strings.NewReader(req.data), body)
		} else {
			text += "\n"
		}
	}
	if !parsed {
		// The server takes the URL's query and the body as one text.
		all, err := io.ReadAll(body)
		if err != nil {
			return nil, fmt.Errorf("reading the statement: %w", err)
		}
		text += string(all)
		if req.statement, err = parse(text); err != nil {
			return nil, err
		}
		if req.insertFormat == "" && len(text) > maxStatement {
			return nil, &http.MaxBytesError{Limit: maxStatement}
		}
		req.body = strings.NewReader(req.data)
	}
	if strings.TrimSpace(req.text) == "" {
		return nil, exceptionf(codeSyntax, "SYNTAX_ERROR", "Empty query")
	}
	if r.Method != http.MethodPost && !req.reads {
		return nil, exceptionf(codeReadonly, "READONLY", "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries")
	}
	if req.answerFormat != "" {
		req.format = req.answerFormat
	}
	return req, nil
}

// insert puts the data into a file in memory first: the library cuts inline
// data at the first empty line, and a client that dies in the middle of its
// data must not leave the first half of it in the table.
func (s *server) insert(ctx context.Context, w http.ResponseWriter, req *request) error {
	fd, err := unix.MemfdCreate("insert", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("a file in memory for the data: %w", err)
	}
	file := os.NewFile(uintptr(fd), "insert")
	defer file.Close()
	n, err := io.Copy(file, req.body)
	if err != nil {
		return fmt.Errorf("reading the data: %w", err)
	}
	if n == 0 {
		w.Header().Set("X-ClickHouse-Summary", `{"read_rows":"0","written_rows":"0"}`)
		return nil
	}
	l, err := s.pool.take(ctx, req.database, req.settings)
	if err != nil {
		return err
	}
	defer l.release()
	res, err := l.run(req.fromFile(fmt.Sprintf("/proc/self/fd/%d", fd)), "Null", req.params...)
	if err != nil {
		return err
	}
	defer res.free()
	w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","written_rows":"%d"}`, res.rowsRead, res.written))
	return nil
}

// streamed are the formats whose answers the library may hand out in pieces;
// in others each piece would begin with the format's head again.
var streamed = map[string]bool{
	"native": true, "tabseparated": true, "tsv": true, "tabseparatedraw": true, "tsvraw": true,
	"csv": true, "rowbinary": true, "jsoneachrow": true, "jsoncompacteachrow": true, "ndjson": true, "jsonlines": true, "values": false,
}

func (s *server) query(ctx context.Context, w http.ResponseWriter, req *request) error {
	l, err := s.pool.take(ctx, req.database, req.settings)
	if err != nil {
		return err
	}
	l.lasting = req.lasting
	defer l.release()
	tag := randomHex(8)
	w.Header().Set("Content-Type", contentType(req.format))
	w.Header().Set("X-ClickHouse-Format", req.format)
	w.Header().Set("X-ClickHouse-Exception-Tag", tag)
	if streamed[strings.ToLower(req.format)] {
		begun, control := false, http.NewResponseController(w)
		err := l.each(req.text, req.format, req.params, func(piece []byte) error {
			begun = true
			// A client that stops reading must not keep the connection.
			_ = control.SetWriteDeadline(time.Now().Add(s.writeTimeout))
			_, err := w.Write(piece)
			return err
		})
		var unable *exception
		switch {
		case err == nil || errors.Is(err, errStopped):
			return nil
		case begun:
			return writeException(w, tag, err)
		case errors.As(err, &unable) && strings.Contains(unable.text, "Streaming query is not supported"):
			// Not a SELECT: its answer is short, below.
		default:
			return err
		}
	}
	res, err := l.run(req.text, req.format, req.params...)
	if err != nil {
		return err
	}
	defer res.free()
	w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","written_rows":"%d"}`, res.rowsRead, res.written))
	w.Header().Set("Content-Length", strconv.Itoa(len(res.data)))
	_, err = w.Write(res.data)
	return ignoreWrite(err)
}

// writeException ends an answer that has begun with the block by which clients
// tell a failure from data (src/Server/HTTP/WriteBufferFromHTTPServerResponse.cpp).
func writeException(w io.Writer, tag string, err error) error {
	text := err.Error()
	if len(text) > 16<<10 {
		text = text[:16<<10]
	}
	_, err = fmt.Fprintf(w, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", tag, text, len(text)+1, tag)
	return ignoreWrite(err)
}

// ignoreWrite drops the error of writing to a client: nobody is left to tell.
func ignoreWrite(error) error { return nil }

// fail answers with an error, in the form and with the status of a server.
func fail(w http.ResponseWriter, err error) {
	var (
		e     *exception
		large *http.MaxBytesError
	)
	if !errors.As(err, &e) {
		switch {
		case errors.As(err, &large):
			e = exceptionf(codeTooManyBytes, "TOO_MANY_BYTES", "a request may have %d bytes here, send the data in smaller parts", large.Limit)
		case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
			e = exceptionf(codeCancelled, "QUERY_WAS_CANCELLED", "%v", err)
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum):
			e = exceptionf(codeCannotReadAll, "CANNOT_READ_ALL_DATA", "%v", err)
		default:
			e = exceptionf(1002, "UNKNOWN_EXCEPTION", "%v", err)
		}
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "X-ClickHouse-Format", "X-ClickHouse-Exception-Tag"} {
		h.Del(name)
	}
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
	if e.code == codeAuthentication {
		h.Set("WWW-Authenticate", `Basic realm="mcloud store"`)
	}
	w.WriteHeader(status(e.code))
	fmt.Fprintln(w, e.text)
}

// status is the HTTP status of an exception's code, as far as they matter here
// (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp).
func status(code int) int {
	switch code {
	case codeAuthentication:
		return http.StatusUnauthorized
	case codeAccessDenied, codeReadonly:
		return http.StatusForbidden
	case codeUnknownTable, codeUnknownDatabase, 115, 47, 16, 46: // unknown setting, identifier, column, function
		return http.StatusNotFound
	case codeSyntax, codeCannotReadAll, 6, 27, 36, 43, 53, 70, 72, 117: // cannot parse, bad types and arguments
		return http.StatusBadRequest
	case codeTimeout:
		return http.StatusRequestTimeout
	case codeNotImplemented:
		return http.StatusNotImplemented
	case codeTooManyBytes:
		return http.StatusRequestEntityTooLarge
	case codeTooMany:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func contentType(format string) string {
	switch f := strings.ToLower(format); {
	case strings.HasPrefix(f, "json") && strings.Contains(f, "eachrow"), f == "ndjson", f == "jsonlines":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(f, "json"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(f, "csv"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(f, "tabseparated"), strings.HasPrefix(f, "tsv"):
		return "text/tab-separated-values; charset=UTF-8"
	case f == "native", strings.HasPrefix(f, "rowbinary"), f == "parquet", f == "arrow", f == "arrowstream":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// limited fails instead of ending when there is more than allowed.
type limited struct {
	r           io.Reader
	left, limit int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, &http.MaxBytesError{Limit: l.limit}
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
