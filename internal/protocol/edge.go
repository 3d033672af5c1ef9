package protocol

import "strings"

// LaunchRequest redeems a launch token. A token can be redeemed once.
type LaunchRequest struct {
	Token string `json:"token" maxLength:"4096"`
	// The host that the browser requested, without the port. It must belong to the
	// token's provider unless ProviderID is set.
	Host string `json:"host,omitempty" maxLength:"255"`
	// The provider that the edge's configuration sets for this site.
	ProviderID string `json:"provider_id,omitempty" maxLength:"128"`
	// A random id of this redemption. A request with the same id may redeem the token
	// again for one minute, so that a lost response does not cost the user the session.
	RedemptionID string `json:"redemption_id" minLength:"16" maxLength:"64"`
	// Set if the edge admitted the launch before, while it could not reach the backend.
	// Older backends refuse the field with [InvalidRequest]; the edge then sends the
	// request again without it.
	Offline *OfflineEntry `json:"offline,omitempty"`
}

// OfflineEntry is an entry that an edge admitted on the launch token alone.
type OfflineEntry struct {
	AdmittedAtMS int64 `json:"admitted_at_ms" minimum:"0"`
	// For how long the edge has served the session since.
	ServedMS int64 `json:"served_ms" minimum:"0" maximum:"2678400000"`
}

// LaunchAnswer is a redeemed session.
type LaunchAnswer struct {
	Session      LiveState `json:"session"`
	SessionToken string    `json:"session_token"`
	ServerTimeMS int64     `json:"server_time_ms"`
}

// Heartbeat is the heartbeat of one session, as received by an edge.
type Heartbeat struct {
	ID string `json:"id"`
	// The version that the edge holds. 0 if it holds none and requests the state.
	Version int64 `json:"version"`
	// When the browser sent its last heartbeat, in Unix seconds. 0 if the edge only
	// requests the state.
	At int64 `json:"at,omitempty"`
	// Whether the page was visible.
	Active bool `json:"active,omitempty"`
	// How many heartbeats of the browser this one represents.
	Count int64 `json:"count,omitempty"`
}

// HeartbeatsRequest is a batch of heartbeats from one edge. An edge sends an empty
// batch to measure the backend's clock.
type HeartbeatsRequest struct {
	EdgeID string      `json:"edge_id" maxLength:"64"`
	Beats  []Heartbeat `json:"beats" maxItems:"10000"`
	// The edge's report about itself. Older edges do not send one. Older backends may
	// refuse the field with [InvalidRequest]; the edge then sends the batch again
	// without it.
	Edge *EdgeReport `json:"edge,omitempty"`
	// Injection outcomes of HTML pages since the last report, sent at most every 10 s.
	Pages []PageReport `json:"pages,omitempty" maxItems:"200"`
}

// MaxStates is the largest number of sessions in one [StatesRequest].
const MaxStates = 1000

// StatesRequest requests the live states of sessions. Backends that do not have this
// endpoint answer [NotFound]; edges then send them an empty [Heartbeat] for each
// session.
type StatesRequest struct {
	IDs []string `json:"ids" minItems:"1" maxItems:"1000"`
}

// StatesAnswer holds the states of the sessions that exist, in the order of the
// request, and the ids of those that never existed.
type StatesAnswer struct {
	States       []LiveState `json:"states"`
	Unknown      []string    `json:"unknown,omitempty"`
	ServerTimeMS int64       `json:"server_time_ms"`
}

// MaxPages is the largest number of pages in one batch.
const MaxPages = 200

// PageReport is an injection outcome of the pages at one path.
type PageReport struct {
	ProviderID string `json:"provider_id" maxLength:"128"`
	// The host that browsers requested, in lower case, with its port if it had one.
	Host string `json:"host" maxLength:"255"`
	// The path without segments that may identify a person. See [ReducePath].
	Path string `json:"path" maxLength:"255"`
	// identity, prefix or reencode if the page has its clock. Any other value is the
	// reason why it has none.
	Outcome string `json:"outcome" maxLength:"32"`
	// The number of such pages. It is a lower bound.
	Count  int64 `json:"count" minimum:"1"`
	LastAt int64 `json:"last_at"`
}

// EdgeReport identifies an edge and describes its condition.
type EdgeReport struct {
	Version string `json:"version" maxLength:"64"`
	// When the edge's process started, in Unix seconds.
	StartedAt int64 `json:"started_at"`
	// The number of sessions that the edge admits. It is updated from time to time.
	LiveSessions int64 `json:"live_sessions" minimum:"0"`
	// Milliseconds since the edge last received data on the event stream, which sends
	// an event every 2 s. -1 if it never received any.
	StreamLagMS int64 `json:"stream_lag_ms" minimum:"-1"`
	// Which site settings the edge's configuration sets itself.
	Sites []SiteOptions `json:"sites,omitempty" maxItems:"200"`
}

// HeartbeatsAnswer holds the states of sessions that have changed since the version
// that the edge holds, and the ids of sessions that never existed.
type HeartbeatsAnswer struct {
	States       []LiveState `json:"states"`
	Unknown      []string    `json:"unknown,omitempty"`
	ServerTimeMS int64       `json:"server_time_ms"`
}

// HostAnswer identifies the provider that owns a domain, and its origin.
type HostAnswer struct {
	Host        string   `json:"host"`
	ProviderID  string   `json:"provider_id"`
	OriginURL   string   `json:"origin_url"`
	ReturnHosts []string `json:"return_hosts,omitempty"`
	// The provider's site settings. Nil if the backend is older than this field.
	Site *SiteState `json:"site,omitempty"`
}

const (
	maxSegments = 8
	maxSegment  = 24
	// hidden replaces a segment of a path that may identify a person.
	hidden = "…"
)

// persons are words that are followed by a person's name or id in paths.
var persons = map[string]bool{
	"u": true, "user": true, "users": true, "profile": true, "profiles": true, "people": true, "person": true,
	"member": true, "members": true, "account": true, "accounts": true, "customer": true, "customers": true,
	"author": true, "authors": true,
}

// ReducePath returns a page's path without the parts that may identify a person. It
// removes the query. It replaces a segment with "…" if the segment is long, has three
// digits or more, has characters that are unusual in words and file names, follows a
// word such as "users", or contains the user's id. The result has at most 8 segments.
// Reducing a reduced path returns the same path.
func ReducePath(path, user string) string {
	if i := strings.IndexAny(path, "?#;"); i >= 0 {
		path = path[:i]
	}
	user = strings.ToLower(user)
	var out strings.Builder
	named := false // whether the previous segment is a word in persons
	rest := strings.TrimPrefix(path, "/")
	for n := 0; ; n++ {
		segment, more, deeper := strings.Cut(rest, "/")
		out.WriteByte('/')
		if n == maxSegments-1 && deeper && more != "" {
			out.WriteString(hidden)
			break
		}
		lower := strings.ToLower(segment)
		switch {
		case segment == "":
		case named, !word(segment), len(user) >= 3 && strings.Contains(lower, user), lower == user:
			out.WriteString(hidden)
		default:
			out.WriteString(segment)
		}
		named = persons[lower]
		if !deeper || n == maxSegments-1 {
			break
		}
		rest = more
	}
	return out.String()
}

// word reports whether a segment looks like a word or a file name and not like an id.
func word(segment string) bool {
	if len(segment) > maxSegment || segment == hidden {
		return false
	}
	digits := 0
	for _, c := range []byte(segment) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c == '.':
		case c >= '0' && c <= '9':
			digits++
		default:
			return false
		}
	}
	return digits < 3
}
