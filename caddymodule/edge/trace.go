package edge

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const tracerName = "github.com/sessiongate/sessiongate/caddymodule"

// Traces begin with Caddy's own tracing directive. What the gate asks the
// backend on behalf of a request becomes a span of that request's trace, and the
// backend goes on from there down to SQL. Without the directive nothing of this
// costs more than a look into the context.

// traceCall begins the span of one question to the backend. end tells it how
// that went. It names what was asked and never the session.
func traceCall(ctx context.Context, name string) (traced context.Context, end func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := parent.TracerProvider().Tracer(tracerName).Start(ctx, "session_gate "+name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(err error) {
		if p, ok := errors.AsType[*protocol.Problem](err); ok {
			span.SetAttributes(attribute.String("session_gate.code", string(p.Code)))
		} else if err != nil {
			span.SetStatus(codes.Error, "the backend did not answer")
		}
		span.End()
	}
}
