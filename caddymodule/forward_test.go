package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
)

// A header of the configuration takes the place of what the visitor sent, of what the gate
// says of the client, and of an earlier line; one without a value removes them.
func TestConfiguredHeadersReplaceOthers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(server.Close)
	for name, tt := range map[string]struct {
		set    []OriginHeader
		header string
		want   []string
	}{
		"nothing set":           {nil, "X-Forwarded-Proto", []string{"http"}},
		"the scheme":            {[]OriginHeader{{"x-forwarded-proto", "https"}}, "X-Forwarded-Proto", []string{"https"}},
		"the client's address":  {[]OriginHeader{{"X-Forwarded-For", "198.51.100.7"}}, "X-Forwarded-For", []string{"198.51.100.7"}},
		"no address":            {[]OriginHeader{{"X-Forwarded-For", ""}}, "X-Forwarded-For", nil},
		"no host":               {[]OriginHeader{{"X-Forwarded-Host", ""}}, "X-Forwarded-Host", nil},
		"the visitor's":         {[]OriginHeader{{"X-Edge-Secret", "right"}}, "X-Edge-Secret", []string{"right"}},
		"the visitor's, no one": {[]OriginHeader{{"X-Edge-Secret", ""}}, "X-Edge-Secret", nil},
		"twice":                 {[]OriginHeader{{"X-Edge-Secret", "old"}, {"X-Edge-Secret", "right"}}, "X-Edge-Secret", []string{"right"}},
	} {
		app := &App{edge: new(edge.Edge)}
		f, err := (&Gate{Origin: &Origin{To: server.URL, Headers: tt.set}, logger: zap.NewNop()}).newForwarder(app)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.close)
		ctx := context.WithValue(t.Context(), caddyhttp.VarsCtxKey, map[string]any{})
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://app.example/", nil)
		r.Header["X-Edge-Secret"] = []string{"a guess", "another"}
		r.Header["X-Forwarded-Proto"] = []string{"gopher"}
		w := httptest.NewRecorder()
		if err := f.ServeHTTP(w, r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var seen http.Header
		if err := json.Unmarshal(w.Body.Bytes(), &seen); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := seen[tt.header]; !slices.Equal(got, tt.want) {
			t.Errorf("%s: the origin gets %s %q, want %q", name, tt.header, got, tt.want)
		}
	}
}
