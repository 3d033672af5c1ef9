package protocol

// Site is what a provider decides about its own site at the edge. The zero value of a
// field is its default, so that an empty Site changes nothing.
type Site struct {
	// Paths that need no session, such as /robots.txt and /hooks/*. A star at the end
	// matches any rest, one at the beginning any directory.
	OpenPaths []string `json:"open_paths,omitempty"`
	// Whether pages get the clock: on or off. Default: on.
	Inject string `json:"inject,omitempty"`
	// How the cookie is scoped: lax, or partitioned for an app that other sites frame.
	// Default: lax.
	Cookie string `json:"cookie,omitempty"`
	// How the user and session are sent to the origin: headers, jwt or off. Default: headers.
	ForwardIdentity string `json:"forward_identity,omitempty"`
	// How long after the deadline an upload in progress may continue.
	UploadGraceSeconds int64 `json:"upload_grace_seconds,omitempty"`
	// The most sessions at once. 0: no limit.
	MaxSessions int64        `json:"max_sessions,omitempty"`
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	Brand       *Brand       `json:"brand,omitempty"`
	Clock       *SiteClock   `json:"clock,omitempty"`
}

// Maintenance closes a site for a while. Clocks of paid sessions stand still meanwhile.
type Maintenance struct {
	On bool `json:"on"`
	// Plain text for the page that visitors receive.
	Message string `json:"message,omitempty"`
	// When it is expected to be over, in Unix seconds. 0: not known. It stays on until
	// it is turned off.
	Until int64 `json:"until,omitempty"`
}

// Brand is how the pages and the clock of a site present the app.
type Brand struct {
	AppName string `json:"app_name,omitempty"`
	// Where a session can be bought.
	ShopURL    string `json:"shop_url,omitempty"`
	SupportURL string `json:"support_url,omitempty"`
	LogoURL    string `json:"logo_url,omitempty"` // https
	Accent     string `json:"accent,omitempty"`   // #rrggbb
}

// SiteClock is how the clock on a site's pages looks at first. Users may move and
// collapse it.
type SiteClock struct {
	// bottom-right, bottom-left, top-right or top-left. Default: bottom-right.
	Position string `json:"position,omitempty"`
	// Hide the clock. Warnings and the end are shown all the same.
	Hidden    bool `json:"hidden,omitempty"`
	Collapsed bool `json:"collapsed,omitempty"`
	// Texts by language (en, de, pt-BR), instead of the built-in ones.
	Texts map[string]ClockTexts `json:"texts,omitempty"`
}

// ClockTexts are a provider's own texts in one language. Empty texts are the built-in
// ones.
type ClockTexts struct {
	Warning string `json:"warning,omitempty"` // below the title of the warning
	Ended   string `json:"ended,omitempty"`   // below the title of the end
}

// Limits of a [Site].
const (
	MaxOpenPaths    = 100
	MaxOpenPath     = 200 // bytes
	MaxSiteText     = 300 // characters of each text, name and message
	MaxSiteURL      = 2048
	MaxUploadGrace  = 3600
	MaxSiteSessions = 1_000_000
	MaxLanguages    = 20
	// MaxSite is the largest length of a Site in JSON.
	MaxSite = 32 << 10
)

// SiteState is the site settings of one provider, as edges receive them: in a
// [HostAnswer], in a [SitesAnswer] and as the event [StreamSite].
type SiteState struct {
	// SiteIDPrefix and the provider's id. Older edges and backends take the event for the
	// state of a session. No session has such an id, so they store nothing.
	ID         string `json:"id"`
	ProviderID string `json:"provider_id"`
	// Increases with every change of the site, so that older settings never replace newer
	// ones. 0: the provider never changed any.
	Version int64 `json:"version"`
	Site    Site  `json:"site"`
}

// SiteIDPrefix begins the id of each [SiteState].
const SiteIDPrefix = "site:"

// SitesRequest requests the site settings of providers. Backends that do not have this
// endpoint answer [NotFound].
type SitesRequest struct {
	Providers []string `json:"providers" minItems:"1" maxItems:"2000" nullable:"false"`
}

// SitesAnswer holds the settings of the providers that exist, in the order of the
// request.
type SitesAnswer struct {
	Sites []SiteState `json:"sites" nullable:"false"`
}

// SiteOptions names the options that the configuration of an edge sets for the sites of
// a provider, in place of the provider's own: names of the fields of [Site], in JSON.
type SiteOptions struct {
	// Empty: sites that find their provider by the request's host.
	ProviderID string   `json:"provider_id,omitempty" maxLength:"128"`
	Options    []string `json:"options" maxItems:"20"`
}

// SessionSite is the part of a [Site] that the clock needs.
type SessionSite struct {
	AppName    string     `json:"app_name,omitempty"`
	SupportURL string     `json:"support_url,omitempty"`
	Accent     string     `json:"accent,omitempty"`
	Clock      *SiteClock `json:"clock,omitempty"`
}
