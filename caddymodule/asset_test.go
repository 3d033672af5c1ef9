package caddymodule

import (
	"net/http/httptest"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

// A document without an origin loads boot.js, which removes itself: with crossorigin
// where its policy demands integrity, else without. It loads nothing else of ours.
func TestSandboxedPagesMayLoadTheFirstScriptOnly(t *testing.T) {
	t.Parallel()
	for _, asset := range sdkinject.Assets() {
		r := httptest.NewRequest("GET", protocol.GatePrefix+asset.Name, nil)
		w := httptest.NewRecorder()
		if err := serveAsset(w, r, asset); err != nil {
			t.Fatal(err)
		}
		want, wantOrigin := "same-origin", ""
		if asset.Name == sdkinject.Boot().Name {
			want, wantOrigin = "cross-origin", "*"
		}
		if got := w.Header().Get("Cross-Origin-Resource-Policy"); got != want {
			t.Errorf("%s: Cross-Origin-Resource-Policy is %q, want %q", asset.Name, got, want)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != wantOrigin {
			t.Errorf("%s: Access-Control-Allow-Origin is %q, want %q", asset.Name, got, wantOrigin)
		}
	}
}
