package caddymodule

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

const (
	// reopensLater is after how many seconds a visitor of a closed site tries again if the
	// provider does not say when it opens, or said so too early.
	reopensLater = 60
	// reopensMost is the longest that a visitor is told to wait, in seconds.
	reopensMost = 24 * 60 * 60
)

// reopensIn returns after how many seconds a visitor of a closed site tries again.
func (g *Gate) reopensIn(closed *protocol.Maintenance) int64 {
	if left := g.leftUntil(closed); left > 0 {
		return min(left, reopensMost)
	}
	return reopensLater
}

// leftUntil returns how many seconds are left until a closed site is expected to open; 0
// if that is not known.
func (g *Gate) leftUntil(closed *protocol.Maintenance) int64 {
	if closed == nil || closed.Until <= 0 {
		return 0
	}
	return max(0, closed.Until-g.edge.Clock.NowMS()/1000)
}

// explainClosed adds to the page of a closed site what its provider says.
func (g *Gate) explainClosed(p *page, closed *protocol.Maintenance) {
	if closed == nil {
		return
	}
	p.Message = plainText(closed.Message)
	if left := g.leftUntil(closed); left > 0 {
		t := textsOf(p.Lang)
		p.Expected = strings.Replace(t.Expected, "{left}", inUnits(left, t), 1)
	}
}

// detailClosed adds the same to a problem.
func (g *Gate) detailClosed(p *protocol.Problem, r *http.Request) {
	closed := g.settingsFor(r).rules().maintenance
	p.RetryAfter = int(g.reopensIn(closed))
	if closed == nil {
		return
	}
	if message := plainText(closed.Message); message != "" {
		p.Detail = message
	}
}

// errClosed is the cause of refusing an entry to a closed site.
var errClosed = errors.New("the provider has closed the site")

// closedToLink reports whether a launch link does not enter a closed site. Links of passes
// do: whose session is not one of the provider's team gets no further than the page of the
// closed site.
func (g *Gate) closedToLink(provider string, claims *token.Claims) bool {
	return !g.ObserveOnly && g.settingsOf(provider).closed() && protocol.MarketplaceOf(claims.UserID()) != protocol.PassTenant
}
