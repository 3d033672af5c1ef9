package api

import (
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// addExamples gives every body in the document an example, made of its fields'
// own examples, so that none can be forgotten or fall behind. Tests hold each
// against its schema.
func addExamples(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			if op.RequestBody != nil {
				addExample(doc, op.RequestBody.Content, false)
			}
			for _, r := range op.Responses {
				addExample(doc, r.Content, true)
			}
		}
	}
}

func addExample(doc *huma.OpenAPI, content map[string]*huma.MediaType, response bool) {
	for name, media := range content {
		if media.Example == nil && media.Schema != nil && strings.HasSuffix(name, "json") {
			media.Example = exampleOf(doc, media.Schema, "", response, 0)
		}
	}
}

// samples is what fields of a name hold when they say no example themselves.
var samples = map[string]any{
	"id": "0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11", "session_id": "0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11", "user_id": "user_7",
	"provider_id": "prov_demo", "return_url": "https://market.example/done", "consent_url": "https://market.example/consent",
	"jti": "0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11", "token": "eyJhbGciOiJFUzI1NiIs…", "session_token": "eyJhbGciOiJFUzI1NiIs…",
	"redemption_id": "5f0c1d2e3b4a59687766", "launch_url": "https://app.provider.com/?session=eyJhbGciOiJFUzI1NiIs…",
	"server_time_ms": int64(1_800_000_000_500), "at_ms": int64(1_800_000_000_500), "edge_id": "edge-1", "host": "app.provider.com",
	"origin_url": "http://127.0.0.1:3000", "app_url": "https://app.provider.com/", "expires_at": int64(1_800_003_600),
	"created_at": int64(1_800_000_000), "started_at": int64(1_800_000_000), "updated_at": int64(1_800_000_000), "at": int64(1_800_000_000),
	"date": "2027-01-15", "from": "2027-01-01", "to": "2027-01-31", "title": "Unauthorized", "status": int64(401), "detail": "The API key is unknown or revoked.",
	"code": "unauthorized", "name": "example", "version": int64(1), "payload": `{"type":"session.ended","timestamp":"2027-01-15T08:00:31Z","data":{}}`,
}

func exampleOf(doc *huma.OpenAPI, s *huma.Schema, name string, response bool, depth int) any {
	if s.Ref != "" {
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
			if (child.ReadOnly && !response) || (!required && !response && depth > 0) {
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
	case huma.TypeString:
		if v, ok := samples[name].(string); ok {
			return v
		}
		if s.Format == "uri" {
			return "https://market.example/done"
		}
		return "text"
	case huma.TypeInteger, huma.TypeNumber:
		if v, ok := samples[name].(int64); ok && (s.Maximum == nil || float64(v) <= *s.Maximum) {
			return v
		}
		if s.Minimum != nil {
			return int64(max(1, *s.Minimum))
		}
		return int64(60)
	case huma.TypeBoolean:
		return true
	}
	return map[string]any{}
}
