package api

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// knownQuery refuses requests with query parameters that the operation does not read. A
// misspelled filter would otherwise be ignored and select everything. It runs after
// authentication, so that unauthenticated clients learn nothing.
func (a *api) knownQuery(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	if r.URL.RawQuery == "" {
		next(hc)
		return
	}
	ignored := ""
	if r.Method == http.MethodGet {
		ignored = ignoredQuery
	}
	if p := refusedQuery(r.URL.RawQuery, queryOf(hc.Operation()), ignored); p != nil {
		a.logRefusal(r.Context(), p, p)
		p.write(w)
		return
	}
	next(hc)
}

// ignoredQuery is a query parameter that every GET accepts and ignores. A page under a
// service worker sends a new value each time, so that the worker cannot answer from its
// cache.
const ignoredQuery = "nonce"

// queryOf lists the query parameters of an operation, in the order of its document.
func queryOf(op *huma.Operation) []string {
	var names []string
	for _, p := range op.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

// refusedQuery returns the problem with a query that may have the known parameters and
// the ignored one, each once, or nil. It never contains values.
func refusedQuery(raw string, known []string, ignored string) *problem {
	given, err := url.ParseQuery(raw)
	if err != nil {
		return newProblem(protocol.InvalidRequest, "The query is malformed. Separate parameters with & and percent-encode their values.")
	}
	takes := "this path takes no query parameters"
	if len(known) > 0 {
		takes = "this path takes " + strings.Join(known, ", ")
	}
	p := newProblem(protocol.InvalidRequest, "Validation failed.")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case !slices.Contains(known, name) && (name != ignored || ignored == ""):
			p.Errors = append(p.Errors, fieldError{Location: "query." + shortened(name), Message: "unknown query parameter; " + takes})
		case len(given[name]) > 1:
			p.Errors = append(p.Errors, fieldError{Location: "query." + name, Message: "given more than once"})
		}
		if len(p.Errors) == maxQueryErrors {
			break
		}
	}
	if len(p.Errors) == 0 {
		return nil
	}
	return p
}

// cut returns the first limit entries of a list that was read with one entry more, and
// whether there are more.
func cut[T any](list []T, limit int) (page []T, more bool) {
	if len(list) > limit {
		return list[:limit], true
	}
	return list, false
}

// cursorOf returns the cursor of an entry in a list that is ordered by time and id.
// Clients return it unchanged. See [parseCursor].
func cursorOf(at int64, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", at, id))
}

func parseCursor(cursor string) (at int64, id string, err error) {
	bad := service.Refuse(protocol.InvalidRequest, "cursor is not valid. Send next_cursor of the previous page, unchanged.")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", bad
	}
	digits, id, ok := strings.Cut(string(raw), " ")
	if at, err = strconv.ParseInt(digits, 10, 64); err != nil || !ok || at < 1 || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
		return 0, "", bad
	}
	return at, id, nil
}

const (
	maxQueryErrors = 10
	maxQueryName   = 64
)

// shortened returns a parameter's name for an error, with a limited length.
func shortened(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) <= maxQueryName {
		return name
	}
	return strings.ToValidUTF8(name[:maxQueryName], "") + "…"
}
