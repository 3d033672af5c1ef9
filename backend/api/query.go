package api

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// knownQuery refuses requests whose query says something that the operation does
// not read. A filter that is misspelled would otherwise select everything, and
// look as if it had worked. It runs after authentication, so that strangers learn
// nothing.
func (a *api) knownQuery(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	if r.URL.RawQuery == "" {
		next(hc)
		return
	}
	if p := refusedQuery(r.URL.RawQuery, queryOf(hc.Operation())); p != nil {
		a.logRefusal(r.Context(), p, p)
		p.write(w)
		return
	}
	next(hc)
}

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

// refusedQuery returns what is wrong with a query that may have these parameters,
// each once; nil: nothing. It never quotes values.
func refusedQuery(raw string, known []string) *problem {
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
		case !slices.Contains(known, name):
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

const (
	maxQueryErrors = 10
	maxQueryName   = 64
)

// shortened is the name of a parameter as an error shows it: a stranger may send
// one of any length.
func shortened(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) <= maxQueryName {
		return name
	}
	return strings.ToValidUTF8(name[:maxQueryName], "") + "…"
}
