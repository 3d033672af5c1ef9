package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

const (
	pgMaxConns = 32
	// renewEvery is how often all connections may be replaced because the server
	// at their other end became read-only.
	renewEvery = time.Second
)

func openPostgres(ctx context.Context, address string, traces trace.TracerProvider) (*Store, error) {
	config, err := postgresConfig(address)
	if err != nil {
		return nil, errors.New("opening database: the postgres address is not valid") // err may quote the password
	}
	if !strings.Contains(address, "default_query_exec_mode") {
		pooled, err := behindPooler(ctx, config)
		if err != nil {
			return nil, fmt.Errorf("opening database: %w", err)
		}
		if pooled {
			// A statement prepared on one server connection does not exist on the
			// next one that the pooler assigns.
			config.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
	}
	conns := &generation{}
	conn := openSQL(stdlib.GetConnector(*config, conns.options()...), "postgresql", traces)
	conn.SetMaxOpenConns(pgMaxConns)
	conn.SetMaxIdleConns(pgMaxConns)
	conn.SetConnMaxIdleTime(5 * time.Minute)
	if err := migrate(ctx, conn, postgresEngine); err != nil {
		conn.Close()
		return nil, err
	}
	// pgx caches prepared statements itself.
	q := query.New(conn)
	return &Store{
		Reader: Reader{q: q}, engine: postgresEngine, write: conn, read: conn, wq: q, conns: conns,
		lists: Reader{q: q}, listTurns: newTurns(pgLists, maxListQueue), writeTurns: newTurns(pgWriters, maxWriteQueue),
	}, nil
}

// postgresConfig returns the configuration for an address, with a dialer that detects
// a dead network. By default, that takes connections about 15 minutes. If the address
// names several servers, connections go to the one that accepts writes, unless
// target_session_attrs in the address says otherwise.
func postgresConfig(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.DialFunc = dialer().DialContext
	for _, other := range config.Fallbacks { // the same server without TLS is one, too
		if (other.Host != config.Host || other.Port != config.Port) && config.ValidateConnect == nil {
			config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
	}
	return config, nil
}

// behindPooler reports whether a pooler such as PgBouncer answers at an address. A
// pooler gives its clients process ids of its own, since the server connection behind
// them may change with each transaction.
func behindPooler(ctx context.Context, config *pgx.ConnConfig) (bool, error) {
	plain := config.Copy()
	plain.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, plain)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }() // it has only read
	var pid int64
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return false, err
	}
	return pid != int64(conn.PgConn().PID()), nil
}

// generation replaces connections to a server that became a standby or read-only.
// They stay open, so nothing else would make the pool connect to the server that
// took over. It is safe for concurrent use.
type generation struct {
	number    atomic.Int64
	renewedAt atomic.Int64 // Unix nanoseconds
}

// ofConn is the key of a connection's generation in its custom data.
const ofConn = "sessiongate generation"

func (g *generation) options() []stdlib.OptionOpenDB {
	return []stdlib.OptionOpenDB{
		stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
			c.PgConn().CustomData()[ofConn] = g.number.Load()
			return nil
		}),
		stdlib.OptionResetSession(func(_ context.Context, c *pgx.Conn) error {
			if c.PgConn().CustomData()[ofConn] != g.number.Load() {
				return driver.ErrBadConn
			}
			return nil
		}),
	}
}

// renew makes the pool replace every connection before its next use, at most once
// per [renewEvery]. It reports whether it did.
func (g *generation) renew(now time.Time) bool {
	last := g.renewedAt.Load()
	if now.UnixNano()-last < int64(renewEvery) || !g.renewedAt.CompareAndSwap(last, now.UnixNano()) {
		return false
	}
	g.number.Add(1)
	return true
}

// movedOn reports whether a transaction that failed with err should run again on a
// new connection: the server refused it as read-only, and another server may have
// taken over its address.
func (s *Store) movedOn(err error) bool {
	return s.conns != nil && pgCode(err) == pgReadOnly && s.conns.renew(time.Now())
}
