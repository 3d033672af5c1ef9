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

const pageByAnotherName = "No action is needed if this is not a page of the app. Otherwise, check another page."

// reasons are the injector's words for pages that it leaves alone, as its debug
// header and the metric session_gate_pages_total have them.
var reasons = map[string]reason{
	"unanswered":       {"the app sent no response", "See the app's own log."},
	"not_navigation":   {"the request is not a navigation", "A proxy in front of the edge removes Sec-Fetch-* and Upgrade-Insecure-Requests. Configure it to forward them."},
	"upgraded":         {"the connection became a WebSocket", "Check the URL of a page."},
	"head":             {"the request method is HEAD", "A proxy in front of the edge changes GET to HEAD. Configure it to keep the method."},
	"status":           {"the app did not return a page (its status is not 2xx)", "Check a page that works; error pages are not changed."},
	"content_type":     {"the response is not text/html", "Configure the app to send its pages as `Content-Type: text/html`. XHTML (application/xhtml+xml) is not changed."},
	"content_encoding": {"the page is compressed with an encoding other than gzip", "The gate requests gzip or no compression: configure the app to respect Accept-Encoding."},
	"charset":          {"the page is in UTF-16 or UTF-32", "Serve it in UTF-8."},
	"no_transform":     {"the page forbids changes with Cache-Control: no-transform", "Remove no-transform from the app's Cache-Control header."},
	"attachment":       {"the page is a download (Content-Disposition: attachment)", pageByAnotherName},
	"csp_sandbox":      {"a content security policy sandboxes the page without allow-scripts", "Add allow-scripts and allow-same-origin to the sandbox. Without them the clock is not shown; time is still enforced."},
	"empty":            {"the page is empty", pageByAnotherName},
	"not_markup":       {"the page does not begin with markup", "Begin pages with <!doctype html>, and send other content with its own content type."},
	"binary":           {"the body contains NUL bytes", "Send content that is not a page with its own content type."},
	"fragment":         {"the response is a fragment of a page", pageByAnotherName},
	"undecided":        {"no <html>, <head> or content was found in the first 4 KB", "Move long comments below <head>."},
	"bad_gzip":         {"the page is declared as gzip but is not valid gzip", "Fix the app's compression, or turn it off and compress with the edge's `encode`."},
	"multi_member":     {"the page consists of several gzip members", "Configure the app to compress each page as one gzip member, or turn its compression off and compress with the edge's `encode`."},
	"aborted":          {"the app closed the connection in the middle of the page", "See the app's own log."},
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
		return fmt.Sprintf("The gate reported %q, which this version does not know. See docs/caddyfile.md of the edge's version.", word)
	}
	return strings.ToUpper(why.means[:1]) + why.means[1:] + ". " + why.remedy
}

func (p *probe) noteReason(name, outcome string) {
	why, ok := reasons[outcome]
	if !ok {
		p.note(name, Warning, fmt.Sprintf("the page has no clock: the gate reported %q", outcome), "See docs/caddyfile.md of the edge's version.")
		return
	}
	p.note(name, Warning, fmt.Sprintf("the page has no clock: %s (%s)", why.means, outcome), why.remedy)
}
