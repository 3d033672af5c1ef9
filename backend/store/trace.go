package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// openSQL opens a database whose statements are traced, if there is somebody to
// tell. Otherwise nothing stands between us and the driver.
func openSQL(driverName, address string, traces trace.TracerProvider) (*sql.DB, error) {
	if traces == nil {
		return sql.Open(driverName, address)
	}
	system := map[string]string{"sqlite": "sqlite", "pgx": "postgresql"}[driverName]
	return otelsql.Open(driverName, address,
		otelsql.WithTracerProvider(traces),
		otelsql.WithAttributes(attribute.String("db.system.name", system)),
		otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, text string) string { return spanName(method, text) }),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableErrSkip: true, OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true,
			// Loops of ours ask the database all day: only what somebody asked
			// for is traced.
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanFromContext(ctx).IsRecording()
			},
		}),
	)
}

// spanName is the name that a query has among ours, as its first line says:
// "-- name: GetSession :one".
func spanName(method otelsql.Method, text string) string {
	if rest, ok := strings.CutPrefix(text, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return "sql " + name
	}
	return string(method)
}
