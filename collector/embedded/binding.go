package embedded

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The part of libchdb's C API that is used (chdb.h of 26.5). The _n functions
// take a length with each string, so that statements may hold any byte.
var api struct {
	load struct {
		sync.Mutex
		path string // of the library in memory, empty before the first success
	}
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConnection   func(connection unsafe.Pointer)
	query             func(connection, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	stream            func(connection, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamFetch       func(connection, stream unsafe.Pointer) unsafe.Pointer
	streamCancel      func(connection, stream unsafe.Pointer)
	destroy           func(result unsafe.Pointer)
	resultBuffer      func(result unsafe.Pointer) unsafe.Pointer
	resultLength      func(result unsafe.Pointer) uintptr
	resultRowsRead    func(result unsafe.Pointer) uint64
	resultRowsWritten func(result unsafe.Pointer) uint64
	resultError       func(result unsafe.Pointer) unsafe.Pointer
	signalHandlers    func(enabled int32)
}

// load maps the library into the process, where it stays.
func load(path string) (err error) {
	api.load.Lock()
	defer api.load.Unlock()
	if api.load.path != "" {
		if api.load.path != path {
			return fmt.Errorf("%s is loaded already, %s cannot be as well", api.load.path, path)
		}
		return nil
	}
	// RegisterLibFunc panics on a symbol that is not there.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is not the libchdb this program knows: %v", path, p)
		}
	}()
	libc, err := purego.Dlopen("", purego.RTLD_NOW)
	if err != nil {
		return fmt.Errorf("the C library: %w", err)
	}
	purego.RegisterLibFunc(&sigaction, libc, "sigaction")
	withSignalsKept(func() {
		var library uintptr
		if library, err = purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			err = fmt.Errorf("%w: cannot load %s: %w", ErrNoLibrary, path, err)
			return
		}
		for name, function := range map[string]any{
			"chdb_connect":                     &api.connect,
			"chdb_close_conn":                  &api.closeConnection,
			"chdb_query_with_params_n":         &api.query,
			"chdb_stream_query_with_params_n":  &api.stream,
			"chdb_stream_fetch_result":         &api.streamFetch,
			"chdb_stream_cancel_query":         &api.streamCancel,
			"chdb_destroy_query_result":        &api.destroy,
			"chdb_result_buffer":               &api.resultBuffer,
			"chdb_result_length":               &api.resultLength,
			"chdb_result_rows_read":            &api.resultRowsRead,
			"chdb_result_rows_written":         &api.resultRowsWritten,
			"chdb_result_error":                &api.resultError,
			"chdb_set_signal_handlers_enabled": &api.signalHandlers,
		} {
			purego.RegisterLibFunc(function, library, name)
		}
		api.signalHandlers(0)
	})
	if err == nil {
		api.load.path = path
	}
	return err
}

// connection runs one statement at a time.
type connection struct {
	c        unsafe.Pointer // chdb_connection *
	database string         // the current one, "" when unknown
	comment  string         // the log_comment by which its statements are stopped
	applied  settings       // beside the pool's
}

// errConnect says that the engine refused to open its data; it prints the
// reason to standard error and keeps it from its caller.
var errConnect = errors.New("the engine could not open its data, its reason is on standard error")

func connect(arguments []string) (*connection, error) {
	arguments = append([]string{"clickhouse"}, arguments...)
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]unsafe.Pointer, len(arguments))
	for i, a := range arguments {
		b := append([]byte(a), 0)
		pin.Pin(&b[0])
		argv[i] = unsafe.Pointer(&b[0])
	}
	pin.Pin(&argv[0])
	var c unsafe.Pointer
	withSignalsKept(func() { c = api.connect(int32(len(argv)), unsafe.Pointer(&argv[0])) })
	if c == nil {
		return nil, errConnect
	}
	return &connection{c: c}, nil
}

func (c *connection) close() {
	if c.c != nil {
		api.closeConnection(c.c)
		c.c = nil
	}
}

// handle is the chdb_connection that a chdb_connection * points to.
func (c *connection) handle() unsafe.Pointer { return *(*unsafe.Pointer)(c.c) }

// parameter is the value of one {name:Type} in a statement, in the text form
// that the HTTP interface uses (TabSeparated escapes).
type parameter struct{ name, value string }

// cParameters are parameters as four C arrays.
type cParameters struct {
	pin            runtime.Pinner
	names, values  []unsafe.Pointer
	nameLen, vaLen []uintptr
}

func newCParameters(params []parameter) *cParameters {
	p := &cParameters{}
	text := func(s string) unsafe.Pointer {
		b := append([]byte(s), 0)
		p.pin.Pin(&b[0])
		return unsafe.Pointer(&b[0])
	}
	for _, param := range params {
		p.names, p.nameLen = append(p.names, text(param.name)), append(p.nameLen, uintptr(len(param.name)))
		p.values, p.vaLen = append(p.values, text(param.value)), append(p.vaLen, uintptr(len(param.value)))
	}
	if len(params) > 0 {
		p.pin.Pin(&p.names[0])
		p.pin.Pin(&p.values[0])
		p.pin.Pin(&p.nameLen[0])
		p.pin.Pin(&p.vaLen[0])
	}
	return p
}

type startFunc = func(connection, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer

func (c *connection) start(call startFunc, statement, format string, params []parameter) unsafe.Pointer {
	p := newCParameters(params)
	defer p.pin.Unpin()
	q, f := []byte(statement+"\x00"), []byte(format+"\x00")
	res := call(c.handle(), unsafe.Pointer(&q[0]), uintptr(len(statement)), unsafe.Pointer(&f[0]), uintptr(len(format)),
		unsafe.Pointer(unsafe.SliceData(p.names)), unsafe.Pointer(unsafe.SliceData(p.nameLen)),
		unsafe.Pointer(unsafe.SliceData(p.values)), unsafe.Pointer(unsafe.SliceData(p.vaLen)), uintptr(len(p.names)))
	runtime.KeepAlive(q)
	runtime.KeepAlive(f)
	return res
}

// result is what one statement answered.
type result struct {
	res               unsafe.Pointer
	data              []byte // the engine's memory, valid until free
	rowsRead, written uint64
}

func (r *result) free() {
	if r != nil && r.res != nil {
		api.destroy(r.res)
		r.res, r.data = nil, nil
	}
}

func newResult(res unsafe.Pointer) (*result, error) {
	if res == nil {
		return nil, errors.New("the engine gave no result")
	}
	if text := goString(api.resultError(res)); text != "" {
		api.destroy(res)
		return nil, newException(text)
	}
	r := &result{res: res, rowsRead: api.resultRowsRead(res), written: api.resultRowsWritten(res)}
	if b := api.resultBuffer(res); b != nil {
		r.data = unsafe.Slice((*byte)(b), int(api.resultLength(res)))
	}
	return r, nil
}

// run executes a statement and holds its whole answer in memory.
func (c *connection) run(statement, format string, params ...parameter) (*result, error) {
	return newResult(c.start(api.query, statement, format, params))
}

// exec is run for statements whose answer is short text.
func (c *connection) exec(statement string, params ...parameter) (string, error) {
	r, err := c.run(statement, "TabSeparated", params...)
	if err != nil {
		return "", err
	}
	defer r.free()
	return string(r.data), nil
}

// errStopped is returned by each when write wants no more.
var errStopped = errors.New("the reader went away")

// each executes a SELECT and hands its answer on in pieces, which write must
// not keep. It returns errStopped when write failed.
func (c *connection) each(statement, format string, params []parameter, write func([]byte) error) error {
	stream := c.start(api.stream, statement, format, params)
	if stream == nil {
		return errors.New("the engine gave no stream")
	}
	defer api.destroy(stream)
	if text := goString(api.resultError(stream)); text != "" {
		return newException(text)
	}
	for {
		piece, err := newResult(api.streamFetch(c.handle(), stream))
		if err != nil {
			return err
		}
		if len(piece.data) == 0 {
			piece.free()
			return nil
		}
		err = write(piece.data)
		piece.free()
		if err != nil {
			api.streamCancel(c.handle(), stream)
			return fmt.Errorf("%w: %w", errStopped, err)
		}
	}
}

func goString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
