package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// limitSilence makes a connection fail if data that it sent stays unacknowledged.
func limitSilence(fd uintptr) error {
	if err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds())); err != nil {
		return fmt.Errorf("limiting how long a connection may be silent: %w", err)
	}
	return nil
}
