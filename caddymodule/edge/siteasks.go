package edge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// sitesEvery is how often the settings of all providers in use are asked for, in case
	// that an event was lost.
	sitesEvery = time.Minute
	// sitesPause is the least time between two questions, and the first wait after one
	// that failed. The wait doubles up to sitesPauseMax.
	sitesPause    = 200 * time.Millisecond
	sitesPauseMax = 5 * time.Second
)

// siteAsker keeps the table of site settings up to date: it asks for the settings of the
// providers in use at start, when there are further ones, when changes may have gone
// unheard, and once a minute.
type siteAsker struct {
	edge *Edge
	wake chan struct{} // receives when something is to be asked
	// How long a backend without the endpoint is not asked again.
	legacyFor time.Duration

	legacyUntil time.Time // used by run alone
}

// ask has the settings asked for soon.
func (a *siteAsker) ask() {
	select {
	case a.wake <- struct{}{}:
	default: // already pending
	}
}

// run asks until ctx ends.
func (a *siteAsker) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait, failing := sitesPause, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-a.wake:
			select { // further ones come along
			case <-ctx.Done():
				return
			case <-time.After(sitesPause):
			}
		}
		err := a.askAll(ctx)
		if err != nil && ctx.Err() == nil {
			if !failing {
				a.edge.logger.Warn("asking for site settings failed; trying again, and using the known ones meanwhile", zap.Error(err))
			}
			failing = true
			timer.Reset(wait)
			wait = min(2*wait, sitesPauseMax)
			continue
		}
		wait, failing = sitesPause, false
		timer.Reset(sitesEvery)
	}
}

// askAll asks for the settings of all providers in use, and drops those of others.
func (a *siteAsker) askAll(ctx context.Context) error {
	e := a.edge
	now := MonotonicMS()
	wanted := e.interest.wanted(now, e.heldProviders).providers
	e.Sites.sweep(now, func(provider string) bool { return wanted[provider] != nil || e.options.names(provider) })
	if time.Now().Before(a.legacyUntil) {
		return nil
	}
	list := append(e.Sites.providers(), e.options.providers()...)
	for provider := range wanted {
		list = append(list, provider)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	for batch := range slices.Chunk(list, protocol.MaxStreamProviders) {
		answer, err := e.Backend.sites(ctx, batch)
		if lacksEndpoint(err) {
			a.legacyUntil = time.Now().Add(a.legacyFor)
			e.logger.Info("the backend has no site settings; using the defaults")
			return nil
		}
		if err != nil {
			return err
		}
		for i := range answer.Sites {
			if err := e.Sites.Take(&answer.Sites[i], MonotonicMS()); err != nil {
				e.logger.Warn("site settings are left out", zap.String("provider", answer.Sites[i].ProviderID), zap.Error(err))
			}
		}
	}
	return nil
}

// sites returns the site settings of those providers that exist.
func (b *BackendClient) sites(ctx context.Context, providers []string) (*protocol.SitesAnswer, error) {
	var out protocol.SitesAnswer
	if err := b.call(ctx, "sites", http.MethodPost, protocol.EdgeSites, b.key, "", protocol.SitesRequest{Providers: providers}, &out); err != nil {
		return nil, fmt.Errorf("asking for site settings: %w", err)
	}
	return &out, nil
}
