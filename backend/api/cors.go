package api

import (
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// crossOrigin answers browsers that ask whether a page of another origin may
// call r, and marks answers that such a page may read. It reports whether r is
// answered with that.
//
// A provider that integrates the SDK by code calls us from its own origin, with
// the session's token in a header. No cookie takes part, so any origin may: a
// page without the token learns nothing. Everything that takes an API key stays
// closed, since no key belongs in a page.
func (a *api) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	if r.Header.Get("Origin") == "" {
		return false
	}
	asked := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || asked == "" {
		if _, pattern := a.mux.Handler(r); a.fromPages[pattern] {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Expose-Headers", "Retry-After, "+protocol.HeaderRequestID)
		}
		return false
	}
	probe := r.Clone(r.Context())
	probe.Method = asked
	if _, pattern := a.mux.Handler(probe); !a.fromPages[pattern] {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", asked)
	h.Set("Access-Control-Allow-Headers", strings.Join([]string{
		"Authorization", "Content-Type", protocol.HeaderIdempotencyKey, protocol.HeaderRequestID,
	}, ", "))
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return true
}
