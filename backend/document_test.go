package backend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// Every JSON body of the document has an example, and each is what its schema says.
func TestExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	doc := newWorld(t).b.Document()
	seen := 0
	check := func(what string, content map[string]*huma.MediaType, mode huma.ValidateMode) {
		for name, media := range content {
			if !strings.HasSuffix(name, "json") {
				continue
			}
			seen++
			text, err := json.Marshal(media.Example)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(text, &v); err != nil || v == nil {
				t.Errorf("%s has no example", what)
				continue
			}
			var result huma.ValidateResult
			huma.Validate(doc.Components.Schemas, media.Schema, huma.NewPathBuffer(nil, 0), mode, v, &result)
			for _, err := range result.Errors {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for kind, item := range doc.Webhooks {
		check("a webhook is sent "+kind, item.Post.RequestBody.Content, huma.ModeReadFromServer)
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if op.RequestBody != nil {
				check(op.OperationID+" is sent", op.RequestBody.Content, huma.ModeWriteToServer)
			}
			for status, r := range op.Responses {
				check(op.OperationID+" answers "+status, r.Content, huma.ModeReadFromServer)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d bodies were looked at", seen)
	}
}

// The page for people shows every operation with the fields of its bodies, and each
// link within it leads somewhere.
func TestDocsShowEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := string(w.call("GET", "/docs", "", nil).raw)
	doc := w.b.Document()
	section := func(start string) string {
		_, after, ok := strings.Cut(page, `<article id="`+start+`">`)
		if !ok {
			t.Errorf("there is no section %s", start)
		}
		text, _, _ := strings.Cut(after, "</article>")
		return text
	}
	shows := func(where, text string, s *huma.Schema) {
		if s.Ref != "" {
			s = doc.Components.Schemas.SchemaFromRef(s.Ref)
		}
		for name, field := range s.Properties {
			if !strings.Contains(text, "<code>"+name+"</code>") {
				t.Errorf("%s does not show %s", where, name)
			}
			for _, value := range field.Enum {
				if !strings.Contains(text, fmt.Sprint(value)) {
					t.Errorf("%s does not say that %s may be %v", where, name, value)
				}
			}
		}
	}
	items := maps.Clone(doc.Paths)
	maps.Copy(items, doc.Webhooks)
	for _, item := range items {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			text := section(op.OperationID)
			for _, p := range op.Parameters {
				if !strings.Contains(text, "<code>"+p.Name+"</code>") {
					t.Errorf("%s does not show the parameter %s", op.OperationID, p.Name)
				}
			}
			if op.RequestBody != nil {
				shows(op.OperationID, text, op.RequestBody.Content["application/json"].Schema)
			}
			for status, r := range op.Responses {
				if media := r.Content["application/json"]; media != nil && status[0] == '2' {
					shows(op.OperationID, text, media.Schema)
				}
			}
		}
	}
	for _, name := range []string{"SessionBody", "SettlementBody", "ProviderBody", "Policies"} {
		shows(name, section("object-"+name), doc.Components.Schemas.Map()[name])
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("a link leads to #%s, which is not there", link[1])
		}
	}
}

// What webhooks are sent is what the document says of it.
func TestMessagesFitTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.b.Document()
	r := newReceiver(t)
	id, _ := w.hook(r.URL)
	for kind, item := range doc.Webhooks {
		if kind == "webhook.disabled" { // below
			continue
		}
		w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id, "type": kind}).want(200)
		fits(t, doc, kind, item, r.next(t).Body)
	}
	gone := newReceiver(t)
	gone.status(http.StatusGone)
	w.hook(gone.URL, "session.started")
	w.run()
	w.sell("clock", "creation", "extension", map[string]any{"additional_seconds": 60, "tokens": 20, "max_count": 1})
	for range 2 { // in any order: the sale, and what became of the other webhook
		c := r.next(t)
		kind := messageOf(t, c).Type
		fits(t, doc, kind, doc.Webhooks[kind], c.Body)
	}
}

// fits holds the body of a message to the document.
func fits(t *testing.T, doc *huma.OpenAPI, kind string, item *huma.PathItem, body string) {
	t.Helper()
	if item == nil {
		t.Errorf("%s is not documented", kind)
		return
	}
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Errorf("%s: %v", kind, err)
		return
	}
	var result huma.ValidateResult
	schema := item.Post.RequestBody.Content["application/json"].Schema
	huma.Validate(doc.Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, &result)
	for _, err := range result.Errors {
		t.Errorf("%s: %v: %s", kind, err, body)
	}
}

// A linter that is not ours takes the document.
func TestDocumentInALinter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc", "redocly.yaml"} {
		body, err := os.ReadFile(filepath.Join("testdata", "lint", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "openapi.json")
	if err := os.WriteFile(file, w.call("GET", "/openapi.json", "", nil).raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"npm", "ci", "--ignore-scripts", "--prefer-offline"}, {"npx", "redocly", "lint", file}} {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true") // it would call home
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", line, err, out)
		}
	}
}

// conforms checks an answer against what the OpenAPI document says of it.
func (w *world) conforms(method, path string, a *answer) {
	w.t.Helper()
	doc := w.b.Document()
	op := operationOf(doc, method, path)
	if op == nil {
		return // not documented: /docs, /metrics, and what does not exist
	}
	response := op.Responses[strconv.Itoa(a.status)]
	if response == nil && a.status >= 400 {
		response = op.Responses["default"]
	}
	if response == nil {
		w.t.Errorf("%s answers %d, which is not documented", op.OperationID, a.status)
		return
	}
	media := response.Content[a.header.Get("Content-Type")]
	if media == nil {
		if len(a.raw) > 0 {
			w.t.Errorf("%s answers %d as %q, which is not documented", op.OperationID, a.status, a.header.Get("Content-Type"))
		}
		return
	}
	if !strings.HasSuffix(a.header.Get("Content-Type"), "json") {
		return
	}
	var body any
	if err := json.Unmarshal(a.raw, &body); err != nil {
		w.t.Errorf("%s answers %d: %v", op.OperationID, a.status, err)
		return
	}
	var result huma.ValidateResult
	huma.Validate(doc.Components.Schemas, media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, body, &result)
	for _, err := range result.Errors {
		w.t.Errorf("%s answers %d: %v", op.OperationID, a.status, err)
	}
}

func operationOf(doc *huma.OpenAPI, method, path string) *huma.Operation {
	path, _, _ = strings.Cut(path, "?")
	if op := operation(doc.Paths[path], method); op != nil {
		return op
	}
	have := strings.Split(path, "/")
	for template, item := range doc.Paths {
		want := strings.Split(template, "/")
		fits := len(want) == len(have)
		for i := 0; fits && i < len(want); i++ {
			fits = want[i] == have[i] || strings.HasPrefix(want[i], "{")
		}
		if fits {
			return operation(item, method)
		}
	}
	return nil
}

func operation(item *huma.PathItem, method string) *huma.Operation {
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete}[method]
}
