package backend_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/webhook/webhooktest"
)

// receiver is a provider's server.
type receiver struct {
	*httptest.Server
	calls chan webhooktest.Call
	// Decides each answer; nil: 204.
	answer atomic.Pointer[http.HandlerFunc]
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{calls: make(chan webhooktest.Call, 10_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.calls <- webhooktest.CallOf(req.Header, body)
		if f := r.answer.Load(); f != nil {
			(*f)(w, req)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(f http.HandlerFunc) { r.answer.Store(&f) }

func (r *receiver) status(code int) {
	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); fmt.Fprint(w, "told\x00 you") })
}

// next is the next call.
func (r *receiver) next(t testing.TB) webhooktest.Call {
	t.Helper()
	select {
	case c := <-r.calls:
		return c
	case <-time.After(patience):
		t.Fatalf("no call in %v", patience)
		return webhooktest.Call{}
	}
}

// message is what a call says.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Session          map[string]any `json:"session"`
		RemainingSeconds int64          `json:"remaining_seconds"`
		Extension        map[string]any `json:"extension"`
		WebhookID        string         `json:"webhook_id"`
		Reason           string         `json:"reason"`
	} `json:"data"`
}

func messageOf(t *testing.T, c webhooktest.Call) message {
	t.Helper()
	var m message
	if err := json.Unmarshal([]byte(c.Body), &m); err != nil {
		t.Fatalf("%v: %s", err, c.Body)
	}
	return m
}

const hooks = "/api/v1/providers/prov_demo/webhooks"

// hook registers url and returns the webhook's id and secret.
func (w *world) hook(url string, events ...string) (id, secret string) {
	w.t.Helper()
	a := w.call("POST", hooks, w.provider, map[string]any{"url": url, "events": events}).want(201)
	w.secrets = append(w.secrets, a.str("secret"))
	return a.str("webhook", "id"), a.str("secret")
}

// deliveries lists what a webhook was told, the newest first.
func (w *world) deliveries(id, query string) []map[string]any {
	w.t.Helper()
	a := w.call("GET", hooks+"/"+id+"/deliveries"+query, w.provider, nil).want(200)
	var list []map[string]any
	for _, d := range a.at("deliveries").([]any) {
		list = append(list, d.(map[string]any))
	}
	return list
}

// attempts is how many attempts of a delivery are recorded.
func (w *world) attempts(id, delivery string) int {
	w.t.Helper()
	return len(w.call("GET", hooks+"/"+id+"/deliveries/"+delivery, w.provider, nil).want(200).at("attempts").([]any))
}
