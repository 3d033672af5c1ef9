package edge

import (
	"maps"
	"slices"
	"sync"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// maxReportedSites is how many sites a report names.
const maxReportedSites = 200

// siteOptions holds which site settings the configuration sets itself, by provider; the
// empty provider stands for sites that find theirs by the request's host. During a reload,
// it holds those of both configurations. It is safe for concurrent use.
type siteOptions struct {
	mu   sync.Mutex                // guards the rest
	of   map[string]map[string]int // how many sites set an option
	uses map[string]int            // how many sites there are
}

// add adds a site, until release is called.
func (o *siteOptions) add(provider string, options []string) (release func()) {
	o.change(provider, options, 1)
	return sync.OnceFunc(func() { o.change(provider, options, -1) })
}

func (o *siteOptions) change(provider string, options []string, by int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of, o.uses = make(map[string]map[string]int), make(map[string]int)
	}
	set := o.of[provider]
	if set == nil {
		set = make(map[string]int)
		o.of[provider] = set
	}
	for _, name := range options {
		if set[name] += by; set[name] <= 0 {
			delete(set, name)
		}
	}
	if o.uses[provider] += by; o.uses[provider] <= 0 {
		delete(o.of, provider)
		delete(o.uses, provider)
	}
}

// names reports whether a site names the provider.
func (o *siteOptions) names(provider string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return provider != "" && o.uses[provider] > 0
}

// providers lists the providers that sites name.
func (o *siteOptions) providers() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]string, 0, len(o.uses))
	for provider := range o.uses {
		if provider != "" {
			list = append(list, provider)
		}
	}
	return list
}

// report lists the sites that set options.
func (o *siteOptions) report() (list []protocol.SiteOptions) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, provider := range slices.Sorted(maps.Keys(o.of)) {
		if set := o.of[provider]; len(set) > 0 && len(list) < maxReportedSites {
			list = append(list, protocol.SiteOptions{ProviderID: provider, Options: slices.Sorted(maps.Keys(set))})
		}
	}
	return list
}

// ConfigureSite says which site settings a site of the configuration sets itself, until
// release is called. provider is empty for a site that finds it by the request's host.
func (e *Edge) ConfigureSite(provider string, options []string) (release func()) {
	releaseOptions := e.options.add(provider, options)
	if provider == "" {
		return releaseOptions
	}
	releaseSite := e.Site(provider)
	if e.Sites.Of(provider) == nil { // what is known is kept up to date by the stream, and once a minute
		e.siteAsker.ask()
	}
	return func() {
		releaseSite()
		releaseOptions()
	}
}
