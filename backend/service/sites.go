package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/site"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// keepOptions is how long the options in the report of an edge count: an edge reports every
// few seconds, and one that was started anew has another id.
const keepOptions = 2 * time.Minute

// siteRefusal says why site settings were refused.
func siteRefusal(err error) error {
	if e, ok := errors.AsType[*site.Error](err); ok {
		return &Refusal{Code: protocol.InvalidRequest, Detail: e.Error() + "."}
	}
	return err
}

// NewSite returns the settings that a new provider is given, in JSON. Nil: the defaults.
func NewSite(text []byte) (protocol.Site, error) {
	if text == nil {
		return protocol.Site{}, nil
	}
	made, err := site.Merge(protocol.Site{}, text)
	if err != nil {
		return made, siteRefusal(err)
	}
	return made, nil
}

// hostsOf lists the hosts of a provider's site, which pasted paths may begin with.
func hostsOf(p store.Provider) []string {
	hosts := slices.Clone(p.Domains)
	for _, raw := range []string{p.AppURL, p.OriginURL} {
		if u, err := url.Parse(raw); err == nil && u.Hostname() != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// siteChanged gives settings that differ from before their version, and has them published
// after the commit.
func (w *writeTx) siteChanged(before store.Provider, p *store.Provider) {
	if reflect.DeepEqual(before.Site, p.Site) {
		return
	}
	p.SiteVersion, p.SiteAt = before.SiteVersion+1, w.now.Unix()
	w.sites = append(w.sites, *p)
}

// SiteState is what edges receive of a provider's site settings.
func SiteState(p store.Provider) protocol.SiteState {
	return protocol.SiteState{ID: protocol.SiteIDPrefix + p.ID, ProviderID: p.ID, Version: p.SiteVersion, Site: p.Site}
}

// FullSite returns a provider's site settings with all defaults written out.
func FullSite(p store.Provider) protocol.Site { return site.Full(p.Site) }

// Sites returns the site settings of the providers that exist, in the order of the request,
// each once.
func (s *Service) Sites(ctx context.Context, ids []string) ([]protocol.SiteState, error) {
	found, err := s.store.Sites(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := make([]protocol.SiteState, 0, len(found))
	for _, id := range ids {
		if state, ok := found[id]; ok {
			list = append(list, state)
			delete(found, id)
		}
	}
	return list, nil
}

// publishSites sends changed site settings to edges and other backends. They are committed
// already: if the coordinator fails, it publishes them later, or another process does.
func (s *Service) publishSites(ctx context.Context, providers []store.Provider) {
	for _, p := range providers {
		if err := s.publishSite(context.WithoutCancel(ctx), SiteState(p)); err != nil {
			s.log.Error("failed to publish a provider's site settings", zap.String("provider", p.ID), zap.Error(err))
		}
	}
}

func (s *Service) publishSite(ctx context.Context, state protocol.SiteState) error {
	body, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encoding site settings: %w", err)
	}
	return s.coord.Publish(ctx, coord.State{ID: state.ID, Version: state.Version, Data: body, Forget: s.now().Add(keepState)})
}

// reconcileSites publishes the changes of site settings of a time that were not published,
// up to limit; see [Service.reconcile].
func (s *Service) reconcileSites(ctx context.Context, t span, limit int) error {
	for after := (store.SiteChange{}); limit > 0 && ctx.Err() == nil; {
		page, err := s.store.SiteChanges(ctx, t.from, t.to, after, statesAtOnce)
		if err != nil {
			return err
		}
		versions := make([]coord.Version, len(page))
		for i, c := range page {
			versions[i] = coord.Version{ID: protocol.SiteIDPrefix + c.ProviderID, Version: c.Version}
		}
		var ids []string
		for i, published := range s.coord.Published(versions) {
			if !published {
				ids = append(ids, page[i].ProviderID)
			}
		}
		states, err := s.Sites(ctx, ids)
		if err != nil {
			return err
		}
		for _, state := range states {
			_ = s.publishSite(ctx, state) // the coordinator logs once that it is down
		}
		if limit -= len(ids); len(page) < statesAtOnce {
			return nil
		}
		after = page[len(page)-1]
	}
	return nil
}

// SiteOptions are the site settings that the configurations of edges set themselves, by
// provider. Those under "" are of sites that find their provider by the request's host.
type SiteOptions map[string][]string

// Of lists the options of one provider, each once, in their order.
func (o SiteOptions) Of(providerID string) []string {
	list := append(append([]string{}, o[providerID]...), o[""]...) // not nil: the API shows a list
	slices.Sort(list)
	return slices.Compact(list)
}

// SiteOptions returns the options that edges reported lately, as of some seconds ago.
func (s *Service) SiteOptions(ctx context.Context) (SiteOptions, error) {
	reports, err := s.store.SiteOptions(ctx, s.now().Add(-keepOptions))
	if err != nil {
		return nil, err
	}
	all := make(SiteOptions)
	for _, text := range reports {
		for _, o := range ReadSiteOptions(text) {
			all[o.ProviderID] = append(all[o.ProviderID], o.Options...)
		}
	}
	return all, nil
}

// ReadSiteOptions reads what [store.Edge] has of the options of an edge.
func ReadSiteOptions(text string) []protocol.SiteOptions {
	list := []protocol.SiteOptions{}
	_ = json.Unmarshal([]byte(text), &list) // we wrote it; "" is none
	return list
}

// siteOptionsText is what is kept of the options that an edge reported: those that have the
// name of a setting, in a bounded number.
func siteOptionsText(sites []protocol.SiteOptions) string {
	var list []protocol.SiteOptions
	for _, o := range sites[:min(len(sites), maxEdgeSites)] {
		if len(o.ProviderID) > protocol.MaxProviderID || o.ProviderID != "" && !printable(o.ProviderID) {
			continue
		}
		var known []string
		for _, name := range siteOptions {
			if slices.Contains(o.Options, name) {
				known = append(known, name)
			}
		}
		if len(known) > 0 {
			list = append(list, protocol.SiteOptions{ProviderID: o.ProviderID, Options: known})
		}
	}
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil { // strings alone: cannot fail
		return ""
	}
	return string(text)
}

// maxEdgeSites is how many sites of an edge's report are kept.
const maxEdgeSites = 200

// siteOptions are the names of the site settings that a Caddyfile may set.
var siteOptions = func() (names []string) {
	for field := range reflect.TypeFor[protocol.Site]().Fields() {
		names = append(names, jsonName(field))
	}
	slices.Sort(names)
	return names
}()
