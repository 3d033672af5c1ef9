package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startPage asks the browser to prerender /next, and goes there once that page
// has told what it was while nobody saw it. The link is made by a script:
// the browser takes an address it prerendered from wherever it is asked for.
const startPage = `<!doctype html><html><head><title>start</title>
<script type="speculationrules">{"prerender":[{"urls":["/next"],"eagerness":"immediate"}]}</script></head>
<body><p>start</p><script>fetch("/prerendered").then((r) => { if (r.ok) location.href = "/next"; });</script></body></html>`

// nextPage tells what it holds of ours before and after it is shown.
const nextPage = `<!doctype html><html><head><title>next</title></head><body><p>next</p><script>
const clock = () => [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector("[data-testid=session-timer]")).find(Boolean);
const tell = (what) => {
  const loaded = performance.getEntriesByType("resource").map((e) => new URL(e.name).pathname).filter((p) => p.startsWith("/.session-gate/"));
  return fetch("/tell", {method: "POST", body: JSON.stringify({what, prerendering: document.prerendering, clock: clock()?.textContent ?? "", loaded})});
};
if (document.prerendering) {
  // Later than the latest moment at which our script starts in a page that is seen.
  addEventListener("load", () => setTimeout(() => tell("hidden"), 1000));
  document.addEventListener("prerenderingchange", () => {
    const look = setInterval(() => { if (clock()) { clearInterval(look); tell("shown"); } }, 50);
  });
} else tell("not prerendered");
</script></body></html>`

// TestChromiumPrerendersAGatedPage has a browser prerender a page of the app:
// the page is injected, but starts no clock and asks nothing until it is shown.
func TestChromiumPrerendersAGatedPage(t *testing.T) {
	t.Parallel()
	type told struct {
		What         string
		Prerendering bool
		Clock        string
		Loaded       []string
	}
	reports, hidden, purpose := make(chan told, 8), make(chan struct{}), make(chan string, 8)
	app := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, startPage)
		case "/next":
			purpose <- r.Header.Get("Sec-Purpose")
			fmt.Fprint(w, nextPage)
		case "/prerendered":
			select {
			case <-hidden:
			case <-r.Context().Done():
			}
		case "/tell":
			var one told
			if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
				t.Errorf("what the page told: %v", err)
			}
			reports <- one
			if one.What == "hidden" {
				close(hidden)
			}
		default:
			http.NotFound(w, r)
		}
	})
	s := StartSplit(t, app)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10})
	// No debugger: a browser under one prerenders nothing.
	log := startChromium(t, sold.LaunchURL)
	next := func() told {
		t.Helper()
		select {
		case one := <-reports:
			return one
		case <-time.After(patience):
			t.Fatalf("the page told no more:\n%s", log)
			return told{}
		}
	}
	before := next()
	if before.What != "hidden" || !before.Prerendering || before.Clock != "" {
		t.Errorf("prerendered, the page said %+v", before)
	}
	if len(before.Loaded) != 1 || !strings.Contains(before.Loaded[0], "/boot.") {
		t.Errorf("prerendered, the page loaded %q of ours, not the starter alone", before.Loaded)
	}
	after := next()
	if after.What != "shown" || after.Prerendering || !strings.Contains(after.Clock, ":") {
		t.Errorf("shown, the page said %+v", after)
	}
	if got := <-purpose; !strings.Contains(got, "prerender") {
		t.Errorf("the app heard Sec-Purpose %q", got)
	}
	if len(purpose) != 0 {
		t.Error("the page was loaded a second time, so the shown one is not the prerendered one")
	}
}
