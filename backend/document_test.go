package backend_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
