package backend_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/webhook/webhooktest"
)

// A provider that was down while a user was erased still learns what became of the
// user's sessions, without the user: from messages that waited, from messages that
// are replayed, and from those of a webhook that was disabled meanwhile.
func TestErasingKeepsWhatSessionsBecame(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		down, up := newReceiver(t), newReceiver(t)
		var echo http.HandlerFunc = func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "thanks, user_1") }
		up.answers(echo)
		down.status(500)
		waiting, secret := w.hook(down.URL, "session.ended")
		told, _ := w.hook(up.URL, "session.ended")
		off, _ := w.hook("http://127.0.0.1:1/", "session.ended")
		w.call("PATCH", hooks+"/"+off, w.provider, map[string]any{"enabled": false}).want(200)
		w.run()
		id, _ := w.sell("return_url", "https://market.example/done?user=user_1", "consent_url", "https://market.example/more?user=user_1")
		w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		w.refused(down, waiting)
		up.next(t)
		eventually(t, "one is delivered", func() bool { return len(w.deliveries(told, "?status=delivered")) == 1 })
		pseudonym := w.call("POST", "/api/v1/users/user_1/erase", w.market, nil).want(200).str("pseudonym")

		check := func(c webhooktest.Call) {
			t.Helper()
			m := messageOf(t, c)
			s := m.Data.Session
			settlement, _ := s["settlement"].(map[string]any)
			if m.Type != "session.ended" || s["id"] != id || s["status"] != "completed" || s["user_id"] != pseudonym || settlement["reason"] != "completed" {
				t.Errorf("told %s", c.Body)
			}
			if strings.Contains(c.Body, "user_1") {
				t.Errorf("it names the user: %s", c.Body)
			}
		}
		down.status(200)
		w.later(10 * time.Second)
		late := down.next(t)
		check(late)
		webhooktest.Verify(t, w.clock.Now(), secret, late) // signed anew
		since := map[string]any{"since": w.clock.Now().Unix() - 60}
		w.call("POST", hooks+"/"+told+"/replay", w.provider, since).want(202)
		check(up.next(t))
		w.call("PATCH", hooks+"/"+off, w.provider, map[string]any{"enabled": true, "url": up.URL}).want(200)
		eventually(t, "the replay is recorded", func() bool { return len(w.deliveries(told, "?status=delivered")) == 1 })
		w.call("POST", hooks+"/"+off+"/replay", w.provider, since).want(202)
		check(up.next(t))
		eventually(t, "all are delivered", func() bool { return len(w.deliveries(off, "?status=delivered")) == 1 })

		// The answers of receivers may name the user, too.
		delivery := w.deliveries(told, "")[0]["id"].(string)
		full := w.call("GET", hooks+"/"+told+"/deliveries/"+delivery, w.provider, nil).want(200)
		attempts := full.at("attempts").([]any)
		if first := attempts[len(attempts)-1].(map[string]any); first["response"] != "" {
			t.Errorf("the answer before the erasure is kept: %v", first)
		}
		var payload map[string]any
		if err := json.Unmarshal([]byte(full.str("payload")), &payload); err != nil || payload["type"] != "session.ended" {
			t.Errorf("payload %s, %v", full.str("payload"), err)
		}
	})
}
