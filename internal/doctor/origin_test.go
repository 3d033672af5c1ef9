package doctor

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// A server that accepts no connection is locked by its network, and a lock of the
// network does not tell providers apart; one that answers 403 is locked otherwise.
func TestNetworkLocksAreNamed(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	ln.Close()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(refuses.Close)
	for host, network := range map[string]bool{closed: true, strings.TrimPrefix(refuses.URL, "http://"): false} {
		r := Run(t.Context(), Config{
			URL: &url.URL{Scheme: "http", Host: closed, Path: "/"}, Origin: &url.URL{Scheme: "http", Host: host}, Rules: noRules{},
			Lookup: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			},
		})
		c := graded(t, r, "origin_lock")
		if c.Grade != OK || strings.Contains(c.Remedy, "cannot tell apart the providers") != network {
			t.Errorf("network lock %v: %+v", network, c)
		}
	}
}
