package backend_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// exampleBody is one example of the document.
type exampleBody struct {
	where  string
	status string // of an answer
	value  any
}

// examplesOf lists every example of a service's document, as clients read it.
func examplesOf(t *testing.T, w *world) []exampleBody {
	t.Helper()
	type content map[string]struct {
		Example any `json:"example"`
	}
	type item map[string]struct {
		OperationID string `json:"operationId"`
		RequestBody struct {
			Content content `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Content content `json:"content"`
		} `json:"responses"`
	}
	var doc struct {
		Paths, Webhooks map[string]item
	}
	if err := json.Unmarshal(w.call("GET", "/openapi.json", "", nil).raw, &doc); err != nil {
		t.Fatal(err)
	}
	var list []exampleBody
	for _, items := range []map[string]item{doc.Paths, doc.Webhooks} {
		for _, operations := range items {
			for _, op := range operations {
				for _, media := range op.RequestBody.Content {
					list = append(list, exampleBody{op.OperationID + " is sent", "", media.Example})
				}
				for status, r := range op.Responses {
					for name, media := range r.Content {
						if strings.HasSuffix(name, "json") {
							list = append(list, exampleBody{op.OperationID + " answers " + status, status, media.Example})
						}
					}
				}
			}
		}
	}
	if len(list) < 300 {
		t.Fatalf("only %d examples", len(list))
	}
	return list
}

// everyObject calls f for each object within v, with its path.
func everyObject(path string, v any, f func(path string, o map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(path, v)
		for name, field := range v {
			everyObject(path+"."+name, field, f)
		}
	case []any:
		for i, one := range v {
			everyObject(path+"["+strconv.Itoa(i)+"]", one, f)
		}
	}
}

// The examples of the document tell one sale: no two of them contradict one
// another.
func TestExamplesAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known := map[string]string{ // what a field of a name holds, wherever it is
		"user_id": "user_7", "provider_id": "prov_demo", "session_id": "", "jti": "", "webhook_id": "", "return_url": "", "kid": "",
	}
	for _, e := range examplesOf(t, w) {
		everyObject(e.where, e.value, func(path string, o map[string]any) {
			for name, v := range o {
				if text, ok := v.(string); ok {
					if text == "text" || strings.Contains(text, "TODO") {
						t.Errorf("%s.%s is a placeholder", path, name)
					}
					if want, same := known[name]; same && want == "" {
						known[name] = text
					} else if same && text != want {
						t.Errorf("%s.%s is %q, and elsewhere %q", path, name, text, want)
					}
				}
			}
			for _, why := range contradictions(o) {
				t.Errorf("%s: %s", path, why)
			}
		})
	}
	for name, value := range known {
		if value == "" {
			t.Errorf("no example has a %s", name)
		}
	}
}

// contradictions is what is wrong with one object by itself.
func contradictions(o map[string]any) (list []string) {
	wrong := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	num := func(name string) float64 { n, _ := o[name].(float64); return n }
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return o[name] == nil })
	}
	// Moments are within a month before the day of the sale, or soon after it.
	day := float64(time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC).Unix())
	for name, v := range o {
		n, isNumber := v.(float64)
		if strings.HasSuffix(name, "_ms") && name != "took_ms" && name != "stream_lag_ms" || name == "timestamp" && isNumber {
			n /= 1000
		} else if !strings.HasSuffix(name, "_at") && name != "at" && name != "as_of" && name != "since" && name != "until" && !strings.HasSuffix(name, "_until") {
			continue
		}
		if name == "at" && has("props") { // the browser's clock
			n /= 1000
		}
		if isNumber && (n < day-31*86400 || n > day+3*86400) {
			wrong("%s is %v", name, v)
		}
	}
	for _, order := range [][]string{
		{"created_at", "started_at", "ended_at"}, {"started_at", "paused_at"}, {"started_at", "expires_at"}, {"created_at", "updated_at"},
		{"created_at", "done_at"}, {"created_at", "last_used_at"}, {"created_at", "last_seen_at"}, {"started_at", "last_seen_at"}, {"from", "to"}, {"since", "until"},
	} {
		for i := 1; i < len(order); i++ {
			a, b := order[i-1], order[i]
			if !has(a, b) {
				continue
			}
			x, isText := o[a].(string)
			y, _ := o[b].(string)
			if isText && x > y || num(a) > num(b) {
				wrong("%s is after %s", a, b)
			}
		}
	}
	if has("status", "duration_limit_seconds", "tokens_allocated", "expires_at") { // a session
		status := protocol.Status(o["status"].(string))
		pauses, _ := o["pause"].(map[string]any)
		if used, _ := pauses["used"].(float64); used == 0 && num("expires_at") != num("started_at")+num("duration_limit_seconds") {
			wrong("it ends other than its duration after its start")
		}
		if status.Terminal() != has("settlement") && has("created_at") || status.Terminal() != has("ended_at") {
			wrong("it is %s: settlement %v, ended_at %v", status, has("settlement"), has("ended_at"))
		}
		if (status == protocol.Paused) != has("paused_at") {
			wrong("it is %s, and paused_at is %v", status, o["paused_at"])
		}
		if list, ok := o["purchases"].([]any); ok {
			sum := map[string]float64{}
			for _, p := range list {
				for name, v := range p.(map[string]any) {
					if n, isNumber := v.(float64); isNumber {
						sum[name] += n
					}
				}
			}
			if sum["seconds"] != num("duration_limit_seconds") || sum["tokens"] != num("tokens_allocated") {
				wrong("its purchases are not what it has")
			}
			if s, ok := o["settlement"].(map[string]any); ok && (sum["captured"] != s["captured"] || sum["released"] != s["released"] || sum["used_seconds"] != s["used_seconds"]) {
				wrong("its purchases are settled otherwise")
			}
		}
		if s, ok := o["settlement"].(map[string]any); ok {
			if s["captured"].(float64)+s["released"].(float64) != num("tokens_allocated") {
				wrong("what was captured and released is not what was allocated")
			}
			if s["settled_at"] != o["ended_at"] || s["reason"] != o["end_reason"] || s["used_seconds"].(float64) > num("duration_limit_seconds") {
				wrong("its settlement is another session's")
			}
		}
	}
	if has("session", "server_time_ms") { // what is told of a session is told during or after it
		s, _ := o["session"].(map[string]any)
		if created, _ := s["created_at"].(float64); num("server_time_ms") < created*1000 {
			wrong("answered before the session was created")
		}
	}
	if has("remaining_seconds", "server_time_ms", "expires_at") && num("remaining_seconds") != num("expires_at")-float64(int64(num("server_time_ms"))/1000) {
		wrong("remaining_seconds is not until expires_at")
	}
	if has("delivery", "attempts") {
		d := o["delivery"].(map[string]any)
		if tries, ok := o["attempts"].([]any); !ok || float64(len(tries)) != d["attempts"].(float64) {
			wrong("it lists other attempts than it counts")
		}
	}
	if has("payload", "delivery") {
		d := o["delivery"].(map[string]any)
		var m struct {
			Type string `json:"type"`
			Data struct {
				Session struct {
					ID string `json:"id"`
				} `json:"session"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(o["payload"].(string)), &m); err != nil || m.Type != d["type"] || m.Data.Session.ID != d["session_id"] {
			wrong("its payload is of another delivery")
		}
	}
	if has("webhook_id", "message_id") {
		if done := o["status"] != "pending"; done != has("done_at") || done == has("next_try_at") {
			wrong("it is %v: done_at %v, next_try_at %v", o["status"], o["done_at"], o["next_try_at"])
		}
		if o["id"] != o["message_id"].(string)+"."+o["webhook_id"].(string) {
			wrong("its id is not of its message and webhook")
		}
	}
	if has("enabled", "url") && (o["enabled"] == true) == has("disabled_at") {
		wrong("enabled %v, disabled_at %v", o["enabled"], o["disabled_at"])
	}
	if has("days", "total") {
		sums := map[string]float64{}
		for _, d := range o["days"].([]any) {
			for name, v := range d.(map[string]any) {
				n, _ := v.(float64)
				sums[name] += n
			}
		}
		for name, v := range o["total"].(map[string]any) {
			if v != sums[name] {
				wrong("the total of %s is %v, and the days come to %v", name, v, sums[name])
			}
		}
	}
	if has("sessions", "ledger", "held") {
		var held float64
		for _, e := range o["ledger"].([]any) {
			if e := e.(map[string]any); e["kind"] == "hold" {
				held += e["amount"].(float64)
			}
		}
		if held != num("held") {
			wrong("the ledger holds %v", held)
		}
	}
	if has("role") && (o["role"] == "provider") != has("provider_id") {
		wrong("the role %v with provider_id %v", o["role"], o["provider_id"])
	}
	return list
}

// A refusal's example has the status that it is listed under, and a code that
// is sent with it.
func TestExamplesOfRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, e := range examplesOf(t, w) {
		o, _ := e.value.(map[string]any)
		if o["code"] == nil {
			continue
		}
		status := int(o["status"].(float64))
		if e.status != "default" && e.status != strconv.Itoa(status) || o["title"] != http.StatusText(status) {
			t.Errorf("%s: status %d, title %v", e.where, status, o["title"])
		}
		code := protocol.Code(o["code"].(string))
		conflict := strings.HasPrefix(string(code), "session_") && (status == 409 || strings.HasPrefix(e.where, "validate-session"))
		if protocol.StatusOf(code) != status && !conflict && !(code == protocol.InvalidRequest && status == 400) {
			t.Errorf("%s: %s is not sent with %d", e.where, code, status)
		}
		if !slices.Contains(protocol.BackendCodes(), code) {
			t.Errorf("%s: %s is not among the codes of the API", e.where, code)
		}
	}
}

// Programs are told every value that a status or a code can have.
func TestStatusesAndCodesAreEnumerated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := 0
	for name, schema := range w.b.Document().Components.Schemas.Map() {
		for _, field := range []string{"status", "code", "kind", "role", "state", "clock"} {
			if s := schema.Properties[field]; s != nil && s.Type == "string" {
				seen++
				if len(s.Enum) == 0 {
					t.Errorf("%s.%s is a plain string", name, field)
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d fields were looked at", seen)
	}
}
