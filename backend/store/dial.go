package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

const (
	// connectTimeout bounds how long connecting to PostgreSQL may take. It is
	// overridden by connect_timeout in the address.
	connectTimeout = 5 * time.Second
	// silence bounds how long a query waits on a network that drops packets, both for
	// acknowledgments and for the response. It does not limit how long the database
	// may take to run a statement.
	silence = 20 * time.Second
)

func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 4, Count: 2},
		Control: func(network, _ string, c syscall.RawConn) error {
			if network == "unix" {
				return nil
			}
			var err error
			if e := c.Control(func(fd uintptr) { err = limitSilence(fd) }); e != nil {
				return fmt.Errorf("preparing a connection: %w", e)
			}
			return err
		},
	}
}

// openSQL opens a database. Its statements are traced if traces is not nil; otherwise
// the driver is used directly.
func openSQL(connector driver.Connector, system string, traces trace.TracerProvider) *sql.DB {
	if traces == nil {
		return sql.OpenDB(connector)
	}
	return otelsql.OpenDB(connector,
		otelsql.WithTracerProvider(traces),
		otelsql.WithAttributes(attribute.String("db.system.name", system)),
		otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, text string) string { return spanName(method, text) }),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableErrSkip: true, OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true,
			// Trace only statements within a request's trace. Background loops
			// run statements all the time.
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanFromContext(ctx).IsRecording()
			},
		}),
	)
}

// spanName returns the name of a query, which its first line contains:
// "-- name: GetSession :one".
func spanName(method otelsql.Method, text string) string {
	if rest, ok := strings.CutPrefix(text, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return "sql " + name
	}
	return string(method)
}
