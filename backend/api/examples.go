package api

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// addExamples gives every body in the document an example. The examples describe one
// sale (see story.go), so that they are consistent. Bodies that are not part of it get
// examples made from their fields, so that none is missing. Tests compare each example
// with its schema and with the others.
func addExamples(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range operationsOf(item) {
			if op.RequestBody != nil {
				addExample(doc, op.RequestBody.Content, requestExamples[op.OperationID], false)
			}
			for status, r := range op.Responses {
				if media := r.Content[protocol.ProblemType]; media != nil {
					media.Example = problemExample(op, status)
				}
				addExample(doc, r.Content, answerExamples[op.OperationID], true)
			}
		}
	}
	for kind, item := range doc.Webhooks {
		addExample(doc, item.Post.RequestBody.Content, messageExamples[kind], true)
	}
}

// operationsOf lists an item's operations in the order of the document.
func operationsOf(item *huma.PathItem) []*huma.Operation {
	list := []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete}
	return slices.DeleteFunc(list, func(op *huma.Operation) bool { return op == nil })
}

func addExample(doc *huma.OpenAPI, content map[string]*huma.MediaType, told any, response bool) {
	for name, media := range content {
		if media.Example != nil || media.Schema == nil || !strings.HasSuffix(name, "json") {
			continue
		}
		if media.Example = told; told == nil {
			media.Example = exampleOf(doc, media.Schema, "", response, 0)
		}
	}
}

// exampleOf returns an example of a schema: the one from story.go, the schema's own, or
// one made from its fields. Optional fields without an example are left out.
func exampleOf(doc *huma.OpenAPI, s *huma.Schema, name string, response bool, depth int) any {
	if s.Ref != "" {
		component := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if told, ok := schemaExamples[component]; ok {
			return told
		}
		s = doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	switch {
	case s == nil || depth > 6:
		return nil
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Default != nil:
		return s.Default
	}
	switch s.Type {
	case huma.TypeObject:
		out := map[string]any{}
		for field, child := range s.Properties {
			required := slices.Contains(s.Required, field)
			if child.ReadOnly && !response || !required && !known(child, field) {
				continue
			}
			if v := exampleOf(doc, child, field, response, depth+1); v != nil || required {
				out[field] = v
			}
		}
		return out
	case huma.TypeArray:
		if s.Items == nil {
			return []any{}
		}
		return []any{exampleOf(doc, s.Items, strings.TrimSuffix(name, "s"), response, depth+1)}
	case huma.TypeBoolean:
		return true
	}
	return samples[name]
}

// known reports whether an optional field has an example of its own.
func known(s *huma.Schema, field string) bool {
	_, sample := samples[field]
	return sample || len(s.Examples) > 0
}

// problemExample returns an example of a refusal with this status.
func problemExample(op *huma.Operation, status string) any {
	if op.OperationID == "validate-session" && status[0] == '4' && len(status) == 3 {
		return invalidExamples[status]
	}
	code := http.StatusTooManyRequests // of the answer "default"
	if n, err := strconv.Atoi(status); err == nil {
		code = n
	}
	refusal := maps.Clone(problemExamples[code])
	if told, ok := refusalExamples[op.OperationID]; ok && told.status == code {
		refusal = maps.Clone(told.problem)
	} else if code == http.StatusUnprocessableEntity {
		refusal["errors"] = refusedQuery("nonsense=1", queryOf(op), "").Errors
	}
	refusal["status"], refusal["title"] = code, http.StatusText(code)
	return refusal
}
