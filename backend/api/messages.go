package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend/shape"
)

// message describes one type of webhook message for the document.
type message struct {
	kind, summary string
	data          reflect.Type
}

var messages = []message{
	{"session.started", "A session's paid clock started", typeOf[shape.Message[shape.SessionData]]()},
	{"session.warning", "A session is about to end", typeOf[shape.Message[shape.SessionData]]()},
	{"session.extended", "More time was bought for a session", typeOf[shape.Message[shape.SessionData]]()},
	{"session.paused", "A session's clock was paused", typeOf[shape.Message[shape.SessionData]]()},
	{"session.resumed", "A session's clock was resumed", typeOf[shape.Message[shape.SessionData]]()},
	{"session.ended", "A session ended and was settled", typeOf[shape.Message[shape.SessionData]]()},
	{"webhook.disabled", "Another webhook of the provider was disabled", typeOf[shape.Message[shape.DisabledData]]()},
	{"webhook.test", "A test message, sent on request", typeOf[shape.Message[shape.TestData]]()},
}

// addMessages documents what a provider's webhooks receive, which OpenAPI calls
// webhooks, too.
func addMessages(doc *huma.OpenAPI) {
	text := &huma.Schema{Type: huma.TypeString}
	header := func(name, about, example string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Schema: text, Description: about, Example: example}
	}
	doc.Webhooks = map[string]*huma.PathItem{}
	for _, m := range messages {
		body := huma.SchemaFromType(doc.Components.Schemas, m.data)
		kind := *body.Properties["type"]
		kind.Enum = []any{m.kind}
		own := *body
		own.Properties = map[string]*huma.Schema{"type": &kind, "timestamp": body.Properties["timestamp"], "data": body.Properties["data"]}
		own.PrecomputeMessages()
		doc.Webhooks[m.kind] = &huma.PathItem{Post: &huma.Operation{
			OperationID: "receive-" + m.kind, Summary: m.summary, Tags: []string{"Webhooks"}, Security: []map[string][]string{{}},
			Description: "Sent to each enabled webhook that asked for " + m.kind + ", at least once, and signed as the Standard Webhooks specification defines it.",
			Parameters: []*huma.Param{
				header("webhook-id", "The same for every attempt and replay of a message", storyMessage),
				header("webhook-timestamp", "Time of the attempt, in Unix seconds", "1800001801"),
				header("webhook-signature", "One or more signatures, separated by spaces", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
			},
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &own}}},
			Responses: map[string]*huma.Response{
				"2XX":     {Description: "Taken. The body is ignored"},
				"410":     {Description: "Gone: the webhook is disabled"},
				"default": {Description: "Not taken: the message is sent again later"},
			},
		}}
	}
}
