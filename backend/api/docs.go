package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

//go:embed docs.html
var docsPage string

var docsTemplate = template.Must(template.New("docs").Parse(docsPage)) // embedded: tested

// docs returns a handler that serves the document as an HTML page. The page is rendered
// once, because the document does not change after the start.
func (a *api) docs() http.HandlerFunc {
	page := sync.OnceValues(func() ([]byte, error) {
		var body bytes.Buffer
		err := docsTemplate.Execute(&body, documented(a.huma.OpenAPI()))
		return body.Bytes(), err
	})
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := page()
		if err != nil {
			a.Log.Error("failed to make the documentation page", zap.Error(err))
			newProblem(protocol.Internal, "Internal error.").write(w)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		if _, err := w.Write(body); err != nil {
			a.Log.Debug("the client closed the connection before the documentation page ended") // the reader left
		}
	}
}

// docsView is the data of the page: the document as tables.
type docsView struct {
	Groups   []docsGroup
	Messages []docsOperation // what webhooks receive
	Objects  []docsObject    // what fields refer to
	Codes    []string
}

type docsGroup struct {
	Tag        string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, About string
	Parameters                       []docsField
	Body                             docsObject
	Answer                           docsObject
	Status                           string
	Refusals                         string // the statuses of refusals
}

// docsObject is a body or an object within one.
type docsObject struct {
	Name   string
	Text   string // of a body that is no object
	Fields []docsField
}

type docsField struct {
	Name     string
	Type     string
	Object   string // the name of the object that it holds, to link to
	Required bool
	About    string
}

// documented converts a document to tables, with the operations by tag in the order of
// their paths.
func documented(doc *huma.OpenAPI) docsView {
	d := describer{schemas: doc.Components.Schemas, objects: map[string]bool{}}
	groups := map[string][]docsOperation{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, op := range operationsOf(doc.Paths[path]) {
			groups[op.Tags[0]] = append(groups[op.Tags[0]], d.operation(op))
		}
	}
	var view docsView
	for _, tag := range slices.Sorted(maps.Keys(groups)) {
		view.Groups = append(view.Groups, docsGroup{tag, groups[tag]})
	}
	for _, kind := range slices.Sorted(maps.Keys(doc.Webhooks)) {
		op := d.operation(doc.Webhooks[kind].Post)
		op.Method, op.Path = http.MethodPost, kind
		view.Messages = append(view.Messages, op)
	}
	view.Objects = d.describeObjects()
	for _, c := range protocol.BackendCodes() {
		view.Codes = append(view.Codes, string(c)+" ("+strconv.Itoa(problemOf(service.Refuse(c, "")).Status)+")")
	}
	return view
}

// describer describes schemas, and collects the components that they refer to.
type describer struct {
	schemas huma.Registry
	objects map[string]bool
}

func (d *describer) operation(op *huma.Operation) docsOperation {
	out := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, About: op.Description}
	for _, p := range op.Parameters {
		f := d.field(p.Name, p.Schema, p.Required)
		f.Type += ", " + p.In
		f.About = cmp.Or(p.Description, f.About)
		out.Parameters = append(out.Parameters, f)
	}
	if op.RequestBody != nil {
		out.Body = d.body(op.RequestBody.Content)
	}
	var refusals []string
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		switch r := op.Responses[status]; {
		case status[0] == '2' || status[0] == '1':
			out.Status, out.Answer = status, d.body(r.Content)
			out.Answer.Text = cmp.Or(out.Answer.Text, r.Description)
		case status != "default":
			refusals = append(refusals, status)
		}
	}
	out.Refusals = strings.Join(refusals, ", ")
	return out
}

// body describes the content of a body: as JSON, if it may be JSON.
func (d *describer) body(content map[string]*huma.MediaType) docsObject {
	names := slices.Sorted(maps.Keys(content))
	if len(names) == 0 {
		return docsObject{}
	}
	name := names[0]
	if content["application/json"] != nil {
		name = "application/json"
	}
	s, component := d.resolve(content[name].Schema)
	switch {
	case s.Type == huma.TypeObject && len(s.Properties) > 0:
		return docsObject{Name: component, Fields: d.fields(s)}
	case s.Type == huma.TypeObject:
		return docsObject{Text: "None, or {}"}
	}
	return docsObject{Text: name}
}

func (d *describer) resolve(s *huma.Schema) (schema *huma.Schema, component string) {
	if s.Ref == "" {
		return s, ""
	}
	return d.schemas.SchemaFromRef(s.Ref), s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

// fields lists an object's fields, the required ones first.
func (d *describer) fields(s *huma.Schema) []docsField {
	var list []docsField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		list = append(list, d.field(name, s.Properties[name], slices.Contains(s.Required, name)))
	}
	slices.SortStableFunc(list, func(a, b docsField) int {
		if a.Required == b.Required {
			return 0
		}
		if a.Required {
			return -1
		}
		return 1
	})
	return list
}

func (d *describer) field(name string, s *huma.Schema, required bool) docsField {
	f := docsField{Name: name, Required: required, About: s.Description}
	own, component := d.resolve(s)
	f.Type = typeName(own)
	if own.Type == huma.TypeArray && own.Items != nil {
		var items *huma.Schema
		items, component = d.resolve(own.Items)
		f.Type = "array of " + cmp.Or(component, typeName(items))
		f.About = joined(f.About, limits(items))
	} else if component != "" {
		f.Type = component
		f.About = cmp.Or(f.About, own.Description)
	}
	if component != "" {
		f.Object = component
		d.objects[component] = true
	}
	f.About = joined(f.About, limits(own))
	return f
}

// describeObjects describes the components that were referred to, and those that
// they refer to.
func (d *describer) describeObjects() []docsObject {
	known := map[string]docsObject{}
	for len(known) < len(d.objects) {
		for name := range maps.Clone(d.objects) {
			if _, ok := known[name]; !ok {
				known[name] = docsObject{Name: name, Fields: d.fields(d.schemas.Map()[name])}
			}
		}
	}
	var list []docsObject
	for _, name := range slices.Sorted(maps.Keys(known)) {
		list = append(list, known[name])
	}
	return list
}

func typeName(s *huma.Schema) string {
	if s.Type == huma.TypeObject && len(s.Properties) == 0 {
		return "object of any fields"
	}
	return cmp.Or(s.Type, "any JSON value")
}

// limits describes the values that a schema accepts.
func limits(s *huma.Schema) string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if len(s.Enum) > 0 {
		names := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			names[i] = fmt.Sprint(v)
		}
		add("One of %s", strings.Join(names, ", "))
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		add("From %.0f to %.0f", *s.Minimum, *s.Maximum)
	case s.Minimum != nil && *s.Minimum != 0:
		add("At least %.0f", *s.Minimum)
	case s.Maximum != nil:
		add("At most %.0f", *s.Maximum)
	}
	if s.MaxLength != nil {
		add("At most %d characters", *s.MaxLength)
	}
	if s.MaxItems != nil {
		add("At most %d", *s.MaxItems)
	}
	if s.Format != "" && s.Format != "int64" && s.Format != "int32" {
		add("Format %s", s.Format)
	}
	if s.Default != nil {
		add("Default %v", s.Default)
	}
	return strings.Join(list, ". ")
}

// joined joins sentences.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return strings.TrimSuffix(a, ".") + ". " + b
}
