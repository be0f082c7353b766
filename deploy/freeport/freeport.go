// Package freeport finds loopback addresses for programs that tests and benchmarks
// start: a program has to be told its address before it listens.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below Linux's ephemeral range (32768 to 60999): a port that
// the kernel chose itself may be given to anybody, also to an outgoing connection,
// between the moment it is found free and the one the program listens.
const lowest, highest = 20_000, 32_000

var (
	mu    sync.Mutex
	given = map[int]bool{} // never twice to one process
)

// Address is a loopback address, host:port, on which nobody listens now.
func Address() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	var last error
	for range 100 {
		port := lowest + rand.IntN(highest-lowest)
		if given[port] {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return "", err
		}
		given[port] = true
		return address, nil
	}
	return "", fmt.Errorf("no free loopback port from %d to %d, the last try: %w", lowest, highest, last)
}
