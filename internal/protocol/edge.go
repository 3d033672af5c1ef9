package protocol

import "strings"

// LaunchRequest redeems a launch token, once.
type LaunchRequest struct {
	Token string `json:"token" maxLength:"4096"`
	// The host the browser asked for, without port. Must belong to the
	// token's provider unless ProviderID names it.
	Host string `json:"host,omitempty" maxLength:"255"`
	// The provider that the edge's configuration pins to this site.
	ProviderID string `json:"provider_id,omitempty" maxLength:"128"`
	// A random id of this entry. The same id may redeem again for a minute, so
	// that an answer lost on the way costs nobody a session.
	RedemptionID string `json:"redemption_id" minLength:"16" maxLength:"64"`
}

// LaunchAnswer is a redeemed session.
type LaunchAnswer struct {
	Session      LiveState `json:"session"`
	SessionToken string    `json:"session_token"`
	ServerTimeMS int64     `json:"server_time_ms"`
}

// Heartbeat is one session's sign of life, as an edge saw it.
type Heartbeat struct {
	ID string `json:"id"`
	// The version the edge holds; 0 when it holds none and asks for the state.
	Version int64 `json:"version"`
	// When the browser last beat, in Unix seconds; 0 for a mere question.
	At int64 `json:"at,omitempty"`
	// Whether the page was visible.
	Active bool `json:"active,omitempty"`
	// How many heartbeats of the browser this one stands for.
	Count int64 `json:"count,omitempty"`
}

// HeartbeatsRequest is a batch of beats from one edge. An empty batch measures
// the clock.
type HeartbeatsRequest struct {
	EdgeID string      `json:"edge_id" maxLength:"64"`
	Beats  []Heartbeat `json:"beats" maxItems:"10000"`
	// What the edge says of itself, which older edges do not. Older backends may
	// refuse it as [InvalidRequest]; then the batch is sent again without.
	Edge *EdgeReport `json:"edge,omitempty"`
	// What became of HTML pages since the edge said so last, every 10 s at most.
	Pages []PageReport `json:"pages,omitempty" maxItems:"200"`
}

// MaxStates is how many sessions one [StatesRequest] may name.
const MaxStates = 1000

// StatesRequest asks for the live states of sessions. Backends that are older
// than this endpoint answer [NotFound]; they answer an empty [Heartbeat] per session.
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

// MaxPages is how many pages one batch may report.
const MaxPages = 200

// PageReport is what became of the clock in pages of one path.
type PageReport struct {
	ProviderID string `json:"provider_id" maxLength:"128"`
	// As browsers asked for it, in lower case, with its port if it had one.
	Host string `json:"host" maxLength:"255"`
	// Without what may be somebody's, by [ReducePath].
	Path string `json:"path" maxLength:"255"`
	// identity, prefix or reencode: the page has its clock. Anything else says
	// why not.
	Outcome string `json:"outcome" maxLength:"32"`
	// How many such pages were seen, at least.
	Count  int64 `json:"count" minimum:"1"`
	LastAt int64 `json:"last_at"`
}

// EdgeReport is who an edge is and how it does.
type EdgeReport struct {
	Version string `json:"version" maxLength:"64"`
	// When its process started, in Unix seconds.
	StartedAt int64 `json:"started_at"`
	// Sessions that it admits; counted now and then.
	LiveSessions int64 `json:"live_sessions" minimum:"0"`
	// Since it heard the event stream, which speaks every 2 s; -1: never.
	StreamLagMS int64 `json:"stream_lag_ms" minimum:"-1"`
}

// HeartbeatsAnswer names the sessions that changed since the version that the
// edge holds, and those that never existed.
type HeartbeatsAnswer struct {
	States       []LiveState `json:"states"`
	Unknown      []string    `json:"unknown,omitempty"`
	ServerTimeMS int64       `json:"server_time_ms"`
}

// Events of [EdgeEvents]. The stream's ids are opaque; an edge that returns
// them as Last-Event-ID misses nothing, or is sent [StreamReset].
const (
	StreamState = "state" // data: [LiveState]
	StreamReset = "reset" // data: {}; the edge revalidates every session it holds
	StreamTime  = "time"  // data: [StreamTimeData]; every 2 s, proof that the stream lives
)

// StreamTimeData is the backend's clock.
type StreamTimeData struct {
	ServerTimeMS int64 `json:"server_time_ms"`
}

// HostAnswer is who owns a domain and where its origin is.
type HostAnswer struct {
	Host        string   `json:"host"`
	ProviderID  string   `json:"provider_id"`
	OriginURL   string   `json:"origin_url"`
	ReturnHosts []string `json:"return_hosts,omitempty"`
}

const (
	maxSegments = 8
	maxSegment  = 24
	// hidden stands in a reduced path for what may be somebody's.
	hidden = "…"
)

// persons are words after which a path names somebody.
var persons = map[string]bool{
	"u": true, "user": true, "users": true, "profile": true, "profiles": true, "people": true, "person": true,
	"member": true, "members": true, "account": true, "accounts": true, "customer": true, "customers": true,
	"author": true, "authors": true,
}

// ReducePath is a page's path without what may be somebody's: a query is no part
// of it, and a segment becomes "…" that is long, has three digits or more, has
// other characters than words and file names have, stands where a person's name
// does, or holds the user's id. It is at most 8 segments deep; reducing it again
// changes nothing.
func ReducePath(path, user string) string {
	if i := strings.IndexAny(path, "?#;"); i >= 0 {
		path = path[:i]
	}
	user = strings.ToLower(user)
	var out strings.Builder
	named := false // the segment before says that this one is a person
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

// word reports whether a segment looks like a word or a file's name rather than
// an id.
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
