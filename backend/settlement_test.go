package backend_test

import (
	"testing"
	"time"
)

// sellTerms sells a session of a minute for 100 tokens with further terms, and returns its
// id and launch token.
func (w *world) sellTerms(terms map[string]any) (id, launch string) {
	w.t.Helper()
	body := map[string]any{
		"user_id": "user_1", "provider_id": "prov_demo", "tokens_allocated": 100, "duration_limit_seconds": 60,
		"return_url": "https://market.example/done",
	}
	for name, v := range terms {
		body[name] = v
	}
	sold := w.call("POST", "/api/v1/sessions", w.market, body).want(201)
	return sold.str("session", "id"), sold.str("token")
}
