package doctor

import (
	"fmt"
	"strings"
)

// reason explains why a page carries no clock.
type reason struct {
	means  string
	remedy string
}

const pageByAnotherName = "Nothing needs mending if this is no page of the app. Otherwise check another page of it."

// reasons are the injector's words for pages that it leaves alone, as its debug
// header and the metric session_gate_pages_total have them.
var reasons = map[string]reason{
	"unanswered":       {"the app wrote no answer", "See the app's own log."},
	"not_navigation":   {"the request does not look like a visit", "Something before the edge removes Sec-Fetch-* and Upgrade-Insecure-Requests; let it pass them on."},
	"upgraded":         {"the connection became a WebSocket", "Give the address of a page."},
	"head":             {"the request asked for no body", "Something before the edge turns GET into HEAD."},
	"status":           {"the app did not answer with a page (its status is not 2xx)", "Give the address of a page that works; error pages stay as they are."},
	"content_type":     {"the answer is not text/html", "Let the app send its pages as `Content-Type: text/html`. XHTML (application/xhtml+xml) stays as it is."},
	"content_encoding": {"the page is compressed with something else than gzip", "The gate asks for gzip or nothing: make the app heed Accept-Encoding."},
	"charset":          {"the page is in UTF-16 or UTF-32", "Serve it in UTF-8."},
	"no_transform":     {"the page forbids changes by Cache-Control: no-transform", "Remove that word from the app's Cache-Control."},
	"attachment":       {"the page is a download (Content-Disposition: attachment)", pageByAnotherName},
	"csp_sandbox":      {"a content security policy sandboxes the page without allow-scripts", "Add allow-scripts and allow-same-origin to the sandbox, or do without the clock; time is enforced in any case."},
	"empty":            {"the page is empty", pageByAnotherName},
	"not_markup":       {"the page does not begin with markup", "Begin pages with <!doctype html>, or send what is no page with its own content type."},
	"binary":           {"there are NUL bytes where markup should be", "Send what is no page with its own content type."},
	"fragment":         {"this is a part of a page", pageByAnotherName},
	"undecided":        {"no <html>, <head> or content was found where the gate looks, in the first 4 KB", "Move long comments below <head>."},
	"bad_gzip":         {"the page says gzip and is not", "Mend the app's compression, or switch it off and let the edge's `encode` compress."},
	"multi_member":     {"the page is several gzip files in a row", "Let the app compress each page as one, or switch its compression off and let the edge's `encode` compress."},
	"aborted":          {"the app broke off in the middle of the page", "See the app's own log."},
}

// Reasons are the words that can be explained.
func Reasons() (list []string) {
	for word := range reasons {
		list = append(list, word)
	}
	return list
}

// Explain says in sentences why a page carries no clock, given the injector's
// word for it, and what to do.
func Explain(word string) string {
	why, ok := reasons[word]
	if !ok {
		return fmt.Sprintf("The gate says %q, which this version does not know. See docs/caddyfile.md for what the edge's version means by it.", word)
	}
	return strings.ToUpper(why.means[:1]) + why.means[1:] + ". " + why.remedy
}

func (p *probe) noteReason(name, outcome string) {
	why, ok := reasons[outcome]
	if !ok {
		p.note(name, Warning, fmt.Sprintf("the page carries no clock: the gate says %q", outcome), "See docs/caddyfile.md for what this edge's version means by it.")
		return
	}
	p.note(name, Warning, fmt.Sprintf("the page carries no clock: %s (%s)", why.means, outcome), why.remedy)
}
