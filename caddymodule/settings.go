package caddymodule

import (
	"net/http"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// settings are a gate's options for the requests of one provider. An option of the gate
// counts if the configuration sets it; else the provider's own, of its site settings; else
// the default.
type settings struct {
	gate *Gate
	site *siteRules // nil: all is the default
}

// settingsOf returns the options for a provider. It takes no lock and allocates nothing.
func (g *Gate) settingsOf(provider string) settings {
	s := settings{gate: g}
	if g.edge != nil && provider != "" {
		s.site = rulesOf(g.edge.Sites.Of(provider))
	}
	return s
}

// settingsFor returns the options for the provider of the request's site, as far as it is
// known without asking.
func (g *Gate) settingsFor(r *http.Request) settings { return g.settingsOf(g.knownProvider(r)) }

// rules returns the provider's own settings.
func (s settings) rules() *siteRules {
	if s.site == nil {
		return &defaultRules
	}
	return s.site
}

// writtenOptions names the site settings that the configuration sets in place of the
// provider's, as [protocol.Site] has them.
func (g *Gate) writtenOptions() []string {
	var names []string
	for _, o := range []struct {
		name    string
		written bool
	}{
		{"open_paths", len(g.Open) > 0},
		{"inject", g.Inject != ""},
		{"cookie", g.Cookie != ""},
		{"forward_identity", g.ForwardIdentity != ""},
		{"upload_grace_seconds", g.UploadGrace != 0},
	} {
		if o.written {
			names = append(names, o.name)
		}
	}
	return names
}

// injector puts the clock into pages; nil: they get none.
func (s settings) injector() *inject.Injector {
	if s.gate.Inject == "" && s.rules().injectOff {
		return nil
	}
	return s.gate.injector
}

// partitioned reports whether the session's cookie is a partitioned one.
func (s settings) partitioned() bool {
	if s.gate.Cookie != "" {
		return s.gate.Cookie == cookiePartitioned
	}
	return s.rules().partitioned
}

// identity is how the origin is told the user and session.
func (s settings) identity() string {
	if s.gate.ForwardIdentity != "" {
		return s.gate.ForwardIdentity
	}
	return orDefault(s.rules().identity, identityHeaders)
}

// asserter signs what the origin is told; nil: nothing is signed.
func (s settings) asserter() *asserter {
	switch {
	case s.identity() != identityJWT:
		return nil
	case s.gate.asserter != nil:
		return s.gate.asserter
	}
	return s.gate.assertions.asserter()
}

// publishedAsserter is the asserter whose keys the site's origin can fetch. They are there
// before the provider asks for assertions, so that the origin can be set up first.
func (g *Gate) publishedAsserter() *asserter {
	if g.asserter != nil || g.ForwardIdentity != "" {
		return g.asserter
	}
	return g.assertions.asserter()
}

// uploadGrace is how long after the deadline an upload in progress may continue.
func (s settings) uploadGrace() time.Duration {
	if s.gate.UploadGrace != 0 {
		return time.Duration(s.gate.UploadGrace)
	}
	return s.rules().uploadGrace
}

// opens reports whether the request's path needs no session.
func (s settings) opens(r *http.Request) bool {
	if len(s.gate.open) > 0 {
		return s.gate.open.match(r)
	}
	return s.rules().opens(r)
}

// closed reports whether the provider has closed its site.
func (s settings) closed() bool { return s.site != nil && s.site.maintenance != nil }

// closedTo reports whether the site is closed to the user of a session, which may be nil.
// The provider's team has sessions that pass.
func (s settings) closedTo(session *live.Session) bool {
	return s.closed() && (session == nil || session.Record().Mode() != protocol.StaffMode)
}
