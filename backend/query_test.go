package backend_test

import (
	"net/http"
	"strings"
	"testing"
)

// A filter that is misspelled selects nothing: it is refused.
func TestUnknownQueryParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sell()
	for query, want := range map[string]string{
		"?from=2030-01-01&nonsense=1":  "query.from query.nonsense",
		"?Limit=5":                     "query.Limit",
		"?limit=5&limit=6":             "query.limit",
		"?status[]=active":             "query.status[]",
		"?=x":                          "query.",
		"?" + strings.Repeat("n", 500): "query." + strings.Repeat("n", 64) + "…",
		"?limit=5;status=active":       "",
		"?user_id=%zz":                 "",
	} {
		a := w.call("GET", "/api/v1/sessions"+query, w.market, nil).want(422, "invalid_request")
		var got []string
		list, _ := a.at("errors").([]any)
		for _, e := range list {
			got = append(got, e.(map[string]any)["location"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	w.call("GET", "/api/v1/sessions?status=active&user_id=user_1&limit=5", w.market, nil).want(200)
	w.call("GET", "/api/v1/sessions?", w.market, nil).want(200)
	// Not before it is known who asks.
	w.call("GET", "/api/v1/sessions?nonsense=1", "", nil).want(401)
	w.call("GET", "/api/v1/sessions?nonsense=1", w.edge, nil).want(403)
}

// Every operation of the document refuses what it does not document, reads and
// writes alike, and takes every parameter that it documents.
func TestEveryOperationKnowsItsQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	place := strings.NewReplacer("{id}", "prov_demo", "{host}", "app.provider.example", "{wid}", "wh_1", "{did}", "msg_1", "{kid}", "k_1")
	seen := 0
	for path, item := range w.b.Document().Paths {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			op := operation(item, method)
			if op == nil {
				continue
			}
			seen++
			at := path
			if strings.HasPrefix(path, "/api/v1/sessions/") {
				at = strings.Replace(at, "{id}", id, 1)
			}
			at = place.Replace(at) + "?nonsense=1"
			refused := false
			for _, bearer := range []string{"", w.market, w.provider, w.edge, w.admin, launch} {
				a := w.call(method, at, bearer, nil)
				refused = refused || a.status == 422 && strings.Contains(string(a.raw), "query.nonsense")
				if a.status < 400 {
					t.Errorf("%s answers %d to a query that it does not know", op.OperationID, a.status)
				}
			}
			if !refused {
				t.Errorf("%s: no caller was told that its query is unknown", op.OperationID)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d operations were looked at", seen)
	}
}
