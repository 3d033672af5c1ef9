package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

const (
	adminPath      = "/session_gate/sessions"
	adminOrigins   = "/session_gate/origins"
	adminLimits    = "/session_gate/limits"
	adminListLimit = 1000
)

// adminAPI adds to Caddy's admin endpoint:
//
//	GET    /session_gate/sessions[?limit=n]  the live sessions, soonest end first
//	GET    /session_gate/sessions/{id}       one
//	DELETE /session_gate/sessions/{id}       ends its open requests here and forgets
//	                                         it; the next request asks the backend
//	GET    /session_gate/origins             providers whose origin is not responding
//	GET    /session_gate/limits              the limits in force
//
// To end a session for good, revoke it at the backend.
type adminAPI struct{}

// adminSession is a session as the admin API shows it.
type adminSession struct {
	ID           string          `json:"id"`
	ProviderID   string          `json:"provider_id"`
	Status       protocol.Status `json:"status"`
	ExpiresAt    int64           `json:"expires_at"`
	Version      int64           `json:"version"`
	OpenRequests int             `json:"open_requests"`
}

// CaddyModule implements [caddy.Module].
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.session_gate", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes implements [caddy.AdminRouter]. It is called before any app exists, so
// the edges are looked up with each request.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: adminPath, Handler: caddy.AdminHandlerFunc(a.list)},
		{Pattern: adminPath + "/", Handler: caddy.AdminHandlerFunc(a.one)},
		{Pattern: adminOrigins, Handler: caddy.AdminHandlerFunc(a.origins)},
		{Pattern: adminLimits, Handler: caddy.AdminHandlerFunc(a.limits)},
	}
}

func (adminAPI) list(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return adminError(http.StatusMethodNotAllowed, "use GET, or DELETE with a session id")
	}
	limit := adminListLimit
	if raw := r.URL.Query().Get("limit"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n > adminListLimit {
			return adminError(http.StatusBadRequest, "limit must be between 1 and 1000")
		}
		limit = n
	}
	list := []adminSession{}
	edge.Each(func(e *edge.Edge) bool {
		e.Sessions.Each(func(s *live.Session) {
			if !s.Record().State().Status.Terminal() && s.Refusal() != protocol.SessionExpired {
				list = append(list, describe(s))
			}
		})
		return true
	})
	sort.Slice(list, func(i, j int) bool { return list[i].ExpiresAt < list[j].ExpiresAt })
	total := len(list)
	return adminJSON(w, map[string]any{"total": total, "sessions": list[:min(limit, total)]})
}

func (adminAPI) one(w http.ResponseWriter, r *http.Request) error {
	id := strings.TrimPrefix(r.URL.Path, adminPath+"/")
	var held *edge.Edge
	var s *live.Session
	edge.Each(func(e *edge.Edge) bool {
		held, s = e, e.Sessions.ByID(id)
		return s == nil
	})
	if s == nil {
		return adminError(http.StatusNotFound, "session not found on this edge")
	}
	switch r.Method {
	case http.MethodGet:
		return adminJSON(w, describe(s))
	case http.MethodDelete:
		held.Sessions.Forget(s)
		s.Abandon()
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return adminError(http.StatusMethodNotAllowed, "use GET or DELETE")
}

func (adminAPI) origins(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return adminError(http.StatusMethodNotAllowed, "use GET")
	}
	failing := []edge.FailingOrigin{}
	edge.Each(func(e *edge.Edge) bool {
		failing = append(failing, e.Origins.List()...)
		return true
	})
	return adminJSON(w, map[string]any{"failing": failing})
}

// adminLimit is a limit as the admin API shows it.
type adminLimit struct {
	Name    string `json:"name"`
	Value   int64  `json:"value"`
	Default int64  `json:"default"`
	Unit    string `json:"unit"`
	Of      string `json:"of"`
}

func (adminAPI) limits(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return adminError(http.StatusMethodNotAllowed, "use GET")
	}
	list := []adminLimit{}
	edge.Each(func(e *edge.Edge) bool {
		for _, l := range e.Limits.In() {
			list = append(list, adminLimit{l.Name, l.Value, l.Default, l.Unit, l.Of})
		}
		return false // edges of one process have one configuration
	})
	return adminJSON(w, map[string]any{"limits": list})
}

func describe(s *live.Session) adminSession {
	st := s.Record().State()
	return adminSession{
		ID: s.ID(), ProviderID: st.ProviderID, Status: st.Status, ExpiresAt: st.ExpiresAt,
		Version: st.Version, OpenRequests: s.OpenRequests(),
	}
}

func adminJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

func adminError(status int, text string) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf("%s", text)}
}

// Interface guards
var _ caddy.AdminRouter = adminAPI{}
