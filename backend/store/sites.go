package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// maxSiteOptions is how many reports of edges [Reader.SiteOptions] reads.
const maxSiteOptions = 1000

func readSite(text string) (site protocol.Site, err error) {
	if err := json.Unmarshal([]byte(text), &site); err != nil {
		return site, fmt.Errorf("reading provider's site: %w", err)
	}
	return site, nil
}

// Sites returns the site settings of those of ids that exist, by the ids of the providers.
func (r Reader) Sites(ctx context.Context, ids []string) (map[string]protocol.SiteState, error) {
	found := make(map[string]protocol.SiteState, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), idsPerQuery)
		asked := make(map[string]int, n)
		for _, id := range ids[:n] {
			if utf8.ValidString(id) && !strings.Contains(id, "\x00") {
				asked[id] = 0
			}
		}
		ids = ids[n:]
		keys, err := json.Marshal(asked)
		if err != nil {
			return nil, fmt.Errorf("reading sites: %w", err)
		}
		rows, err := r.q.ListSites(ctx, string(keys))
		if err != nil {
			return nil, fmt.Errorf("reading sites: %w", err)
		}
		for _, row := range rows {
			site, err := readSite(row.Site)
			if err != nil {
				return nil, err
			}
			found[row.ID] = protocol.SiteState{ID: protocol.SiteIDPrefix + row.ID, ProviderID: row.ID, Version: row.SiteVersion, Site: site}
		}
	}
	return found, nil
}

// SiteChange is the last change of a provider's site settings.
type SiteChange struct {
	ProviderID string
	Version    int64 // since the change
	At         int64
}

// SiteChanges lists up to limit providers that changed their site settings between two
// times, in the order of time, from after the change after.
func (r Reader) SiteChanges(ctx context.Context, from, to time.Time, after SiteChange, limit int) ([]SiteChange, error) {
	if before := from.Unix() - 1; after.At < before {
		after = SiteChange{At: before}
	}
	rows, err := r.q.ListSiteChanges(ctx, query.ListSiteChangesParams{
		BeforeAt: to.Unix() + 1, AfterAt: after.At, AfterID: after.ProviderID, MaxRows: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("listing changes of sites: %w", err)
	}
	list := make([]SiteChange, 0, len(rows))
	for _, row := range rows {
		list = append(list, SiteChange{row.ID, row.SiteVersion, row.SiteAt})
	}
	return list, nil
}

// SiteOptions lists which site settings the configurations of edges set themselves, as the
// edges reported since a time: one JSON array for each edge.
func (r Reader) SiteOptions(ctx context.Context, since time.Time) ([]string, error) {
	list, err := r.q.ListSiteOptions(ctx, since.Unix(), maxSiteOptions)
	if err != nil {
		return nil, fmt.Errorf("listing edges' options: %w", err)
	}
	return list, nil
}
