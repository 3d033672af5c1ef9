package edge

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Made-up names must not push out the domains that are served while the backend
// is down.
func TestMadeUpHostsPushOutNobody(t *testing.T) {
	t.Parallel()
	c := newHostCache(aloneEdge(t).Backend) // which answers nothing
	c.keep("app.example", hostEntry{answer: &protocol.HostAnswer{ProviderID: "p"}, until: -1})
	for i := range 2 * hostsMax {
		c.keep(fmt.Sprintf("%d.example", i), hostEntry{until: 1 << 60})
	}
	if found, err := c.Find(t.Context(), "app.example"); err != nil || found.ProviderID != "p" {
		t.Errorf("a domain of a provider's: %v", err)
	}
	if n := len(c.hosts); n > hostsMax {
		t.Errorf("%d hosts are kept, want %d at most", n, hostsMax)
	}
	if _, err := c.Find(t.Context(), fmt.Sprintf("%d.example", 2*hostsMax-1)); !errors.Is(err, ErrUnknownHost) {
		t.Errorf("the newest made-up one: %v", err)
	}
}
