package dashboard_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
)

var update = flag.Bool("update", false, "rewrite the answers that the app's types are compared with")

// answersFile declares in TypeScript what the service's document says of its
// answers. The app's own check, `npm run check`, compares src/types.ts with it.
const answersFile = "app/test/answers.ts"

// schema is the part of a JSON schema that the service's document uses.
type schema struct {
	Ref                  string            `json:"$ref"`
	Type                 any               `json:"type"` // a name, or several
	Enum                 []any             `json:"enum"`
	Items                *schema           `json:"items"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	AdditionalProperties json.RawMessage   `json:"additionalProperties"`
}

type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema schema `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

// TestAnswersAreOfTheService holds what the app's types are compared with to the
// document of a running service.
func TestAnswersAreOfTheService(t *testing.T) {
	b, err := backend.Open(t.Context(), backend.Config{DataDir: t.TempDir()}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	answer := httptest.NewRecorder()
	b.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var doc document
	if err := json.Unmarshal(answer.Body.Bytes(), &doc); err != nil || len(doc.Paths) < 20 {
		t.Fatalf("%d paths, %v", len(doc.Paths), err)
	}
	want := doc.typeScript()
	if *update {
		if err := os.WriteFile(answersFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(answersFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the service answers: run go test ./backend/dashboard -update, and mend src/types.ts until npm run check passes", answersFile)
	}
}

func (d document) typeScript() string {
	var out strings.Builder
	out.WriteString("// The bodies of the service's answers, by method and path. Written by go test ./backend/dashboard -update.\n")
	out.WriteString("export interface Answers {\n")
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			for status, response := range d.Paths[path][method].Responses {
				if body, ok := response.Content["application/json"]; ok && strings.HasPrefix(status, "2") {
					fmt.Fprintf(&out, "  %q: %s;\n", strings.ToUpper(method)+" "+path, d.typeOf(body.Schema))
				}
			}
		}
	}
	out.WriteString("}\n")
	return out.String()
}

// typeOf writes a schema as a TypeScript type, with what it refers to written in.
func (d document) typeOf(s schema) string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.typeOf(d.Components.Schemas[name])
	}
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = strconv.Quote(fmt.Sprint(v))
		}
		slices.Sort(values)
		return strings.Join(values, " | ")
	}
	name := fmt.Sprint(s.Type)
	if several, ok := s.Type.([]any); ok { // a slice may be null
		name = fmt.Sprint(several[0])
	}
	switch name {
	case "string", "boolean":
		return name
	case "integer", "number":
		return "number"
	case "array":
		return "(" + d.typeOf(*s.Items) + ")[]"
	case "object":
		if len(s.Properties) == 0 {
			var values schema
			if json.Unmarshal(s.AdditionalProperties, &values) == nil && (values.Type != nil || values.Ref != "") {
				return "Record<string, " + d.typeOf(values) + ">"
			}
			return "Record<string, unknown>"
		}
		var fields []string
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			optional := "?"
			if slices.Contains(s.Required, field) {
				optional = ""
			}
			if field != "$schema" {
				fields = append(fields, field+optional+": "+d.typeOf(s.Properties[field]))
			}
		}
		return "{ " + strings.Join(fields, "; ") + " }"
	}
	return "unknown"
}
