package conformance

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// queued is how many bytes the kernel holds for the connections from or to these addresses
// of this machine, at both of their ends.
func queued(t *testing.T, addresses ...string) (n int) {
	t.Helper()
	var ports []string
	for _, a := range addresses {
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		var slot string
		var localHost, localPort, remoteHost, remotePort, state, sending, receiving uint32
		if _, err := fmt.Sscanf(line, "%s %X:%X %X:%X %X %X:%X", &slot, &localHost, &localPort, &remoteHost, &remotePort, &state, &sending, &receiving); err != nil {
			continue // the table's head
		}
		const listening = 0x0a
		if state != listening && (slices.Contains(ports, fmt.Sprint(localPort)) || slices.Contains(ports, fmt.Sprint(remotePort))) {
			n += int(sending) + int(receiving)
		}
	}
	return n
}
