package caddymodule

import (
	"context"

	"github.com/caddyserver/caddy/v2"

	"github.com/sessiongate/sessiongate/caddymodule/live"
)

// Placeholders of an admitted request, for log fields, headers and matchers of
// handlers that come after the gate.
const (
	placeholderSession   = "session_gate.session"
	placeholderUser      = "session_gate.user"
	placeholderProvider  = "session_gate.provider"
	placeholderRemaining = "session_gate.remaining" // whole seconds
)

// placeholderOriginHost is the Host that an origin of dynamic session_gate is to
// be asked for. reverse_proxy forgets it again where it has headers to set.
const placeholderOriginHost = "session_gate.origin_host"

// showPlaceholders makes the session's placeholders known to the request. They
// are worked out only when somebody asks.
func showPlaceholders(ctx context.Context, s *live.Session) {
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		st := s.Record().State()
		switch key {
		case placeholderSession:
			return st.ID, true
		case placeholderUser:
			return st.UserID, true
		case placeholderProvider:
			return st.ProviderID, true
		case placeholderRemaining:
			return max(0, (st.ExpiresAt*1000-s.NowMS())/1000), true
		}
		return nil, false
	})
}
