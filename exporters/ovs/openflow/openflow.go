// Package openflow asks a bridge of Open vSwitch, through its management socket,
// how many flows it has: a hello and one statistics request of OpenFlow 1.3
// (ONF TS-006, A.3.5.3). It can send nothing else, and knows no metric.
package openflow

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const (
	version          = 4 // OpenFlow 1.3
	typeHello        = 0
	typeError        = 1
	typeEchoRequest  = 2
	typeEchoReply    = 3
	typeRequest      = 18 // multipart
	typeReply        = 19
	statsAggregate   = 2
	headerBytes      = 8
	maxMessages      = 16 // before the answer
	requestID        = 2
	aggregateRequest = 56
)

// ErrMalformed says that the peer does not speak OpenFlow 1.3.
var ErrMalformed = errors.New("malformed answer")

// Flows is the number of flows in all tables of the bridge behind the socket
// ("/run/openvswitch/br-int.mgmt"). It ends with ctx or after timeout.
func Flows(ctx context.Context, path string, timeout time.Duration) (flows uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return 0, err
		}
	}
	if flows, err = ask(conn); err != nil {
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // a moment before ctx says so
			err = context.DeadlineExceeded
		case ctx.Err() != nil:
			err = ctx.Err()
		}
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return flows, nil
}

func ask(conn io.ReadWriter) (uint32, error) {
	if _, err := conn.Write(append(message(typeHello, 1, nil), message(typeRequest, requestID, aggregate())...)); err != nil {
		return 0, err
	}
	for range maxMessages {
		kind, id, body, err := read(conn)
		switch {
		case err != nil:
			return 0, err
		case kind == typeEchoRequest:
			if _, err := conn.Write(message(typeEchoReply, id, body)); err != nil {
				return 0, err
			}
		case kind == typeError:
			return 0, fmt.Errorf("%w: OpenFlow error %x", ErrMalformed, body[:min(len(body), 4)])
		case kind == typeReply && id == requestID:
			// type, flags, padding; then packets, bytes, flows
			if len(body) < 28 || binary.BigEndian.Uint16(body) != statsAggregate {
				return 0, fmt.Errorf("%w: %d bytes of statistics", ErrMalformed, len(body))
			}
			return binary.BigEndian.Uint32(body[24:]), nil
		}
	}
	return 0, fmt.Errorf("%w: no statistics among %d messages", ErrMalformed, maxMessages)
}

func message(kind byte, id uint32, body []byte) []byte {
	m := make([]byte, headerBytes, headerBytes+len(body))
	m[0], m[1] = version, kind
	binary.BigEndian.PutUint16(m[2:], uint16(headerBytes+len(body)))
	binary.BigEndian.PutUint32(m[4:], id)
	return append(m, body...)
}

// aggregate asks for all flows of all tables.
func aggregate() []byte {
	b := make([]byte, aggregateRequest-headerBytes)
	binary.BigEndian.PutUint16(b, statsAggregate)
	b[8] = 0xff                                     // every table
	binary.BigEndian.PutUint32(b[12:], 0xffff_ffff) // any port
	binary.BigEndian.PutUint32(b[16:], 0xffff_ffff) // any group
	// cookie and mask are 0; the match is OXM and empty
	binary.BigEndian.PutUint16(b[40:], 1)
	binary.BigEndian.PutUint16(b[42:], 4)
	return b
}

func read(r io.Reader) (kind byte, id uint32, body []byte, err error) {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, 0, nil, err
	}
	length := int(binary.BigEndian.Uint16(header[2:])) // at most 64 KiB
	if length < headerBytes || header[0] == 0 || header[0] > 6 {
		return 0, 0, nil, fmt.Errorf("%w: version %d, length %d", ErrMalformed, header[0], length)
	}
	body = make([]byte, length-headerBytes)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, 0, nil, fmt.Errorf("half a message: %w", err)
	}
	return header[1], binary.BigEndian.Uint32(header[4:]), body, nil
}
