package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// TestRefusedEdgesAreToldWhy: what the log says of a key that the backend does
// not take leads to the option that is wrong.
func TestRefusedEdgesAreToldWhy(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusUnauthorized: "no such edge_key", http.StatusForbidden: "must be one of role edge", http.StatusBadGateway: "502",
	} {
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(backend.Close)
		base, err := url.Parse(backend.URL)
		if err != nil {
			t.Fatal(err)
		}
		e := newEdge(base, "sg_edge_secret", zap.NewNop())
		if err := e.stream.follow(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v; want %q in it", status, err, want)
		}
	}
}
