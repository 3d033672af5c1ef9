//go:build unix

package origin

import (
	"net"
	"syscall"
)

// quietFunc returns a function that reports whether a connection is open and has nothing
// to read. A kept connection on which something was received is not used again: the origin
// has closed it, or has sent what would pass for the next response.
func quietFunc(c net.Conn) func() bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return alwaysQuiet
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return alwaysQuiet
	}
	var peeked [1]byte
	var result error
	peek := func(fd uintptr) bool {
		_, _, result = syscall.Recvfrom(int(fd), peeked[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	}
	return func() bool {
		return raw.Read(peek) == nil && (result == syscall.EAGAIN || result == syscall.EWOULDBLOCK)
	}
}

func alwaysQuiet() bool { return true }
