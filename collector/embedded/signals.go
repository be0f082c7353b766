package embedded

import (
	"sync"
	"syscall"
	"unsafe"
)

// The engine installs its own handlers for the signals below when it is loaded
// and whenever a connection is opened, even when it was told not to. With them
// a nil dereference in Go is no panic any more: the engine's handler never
// returns and the process hangs. So the handlers Go installed are saved before
// and put back after (chdb-io/chdb-go#30, #37; chdb-io/chdb-core#221).
var guarded = []syscall.Signal{
	syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGHUP, syscall.SIGILL, syscall.SIGINT,
	syscall.SIGPIPE, syscall.SIGPROF, syscall.SIGQUIT, syscall.SIGSEGV, syscall.SIGTERM, syscall.SIGTRAP,
	syscall.SIGTSTP, syscall.SIGURG, syscall.SIGUSR1, syscall.SIGUSR2,
}

// disposition is room for the C library's struct sigaction, 152 bytes on Linux
// x86-64.
type disposition [256]byte

// sigaction is the C library's, bound in load.
var sigaction func(signal int32, set, get unsafe.Pointer) int32

var signalMu sync.Mutex

func dispositions() []disposition {
	saved := make([]disposition, len(guarded))
	for i, s := range guarded {
		sigaction(int32(s), nil, unsafe.Pointer(&saved[i]))
	}
	return saved
}

// withSignalsKept runs f and restores the signal handlers it changed.
func withSignalsKept(f func()) {
	signalMu.Lock()
	defer signalMu.Unlock()
	saved := dispositions()
	defer func() {
		for i, s := range guarded {
			sigaction(int32(s), unsafe.Pointer(&saved[i]), nil)
		}
	}()
	f()
}
