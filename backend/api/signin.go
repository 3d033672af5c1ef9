package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/dashboard"
	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// oidcCookie, and the name of the attempt, is the name of the cookie that holds a
	// sign-in on its way to the identity provider and back: each tab has its own.
	oidcCookie = "sg_signing_in_"
	// The most attempts of one browser.
	maxAttempts = 8
)

// routeSignIn adds the pages with which people sign in. They need no script, and
// are for browsers: the OpenAPI document does not list them.
//
//	GET  /auth/           who is signed in, or how to sign in
//	GET  /auth/oidc       to the identity provider
//	GET  /auth/callback   back from it
//	POST /auth/key        sign in with a key
//	POST /auth/switch     to another role of the same person
//	POST /auth/sign-out
func (a *api) routeSignIn() {
	a.signInPage("GET "+service.AuthPath+"{$}", func(w http.ResponseWriter, r *http.Request) error { a.showSignIn(w, r, nil); return nil })
	a.signInPage("GET "+service.AuthPath+"oidc", a.toProvider)
	a.signInPage("GET "+service.OIDCCallback, a.fromProvider)
	a.signInPage("POST "+service.AuthPath+"key", a.signInWithKey)
	a.signInPage("POST "+service.AuthPath+"switch", a.switchRole)
	a.signInPage("POST "+service.AuthPath+"sign-out", a.signOut)
	a.routePortal()
}

// signInPage adds a page that needs no sign-in: limited by address, its writes
// from our own pages only, its refusals shown on the sign-in page.
func (a *api) signInPage(pattern string, handle func(http.ResponseWriter, *http.Request) error) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := a.pageRequest(pattern, handle)(w, r); err != nil {
			p := problemOf(err)
			a.logRefusal(r.Context(), p, err)
			a.showSignIn(w, r, p)
		}
	})
}

// pageRequest handles a request for a page that needs no sign-in, if it is within the
// limits of its address and not from another site.
func (a *api) pageRequest(pattern string, handle func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		// First: a refusal is shown on a page that reads the form, too.
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		err := a.s.LimitAddress(r.Context(), a.addressOf(r))
		if err == nil && attempts(pattern) {
			err = a.s.LimitSignIn(r.Context(), a.addressOf(r))
		}
		if err == nil && r.Method == http.MethodPost {
			if err = otherSites.Check(r); err != nil {
				err = &service.Refusal{Code: protocol.Forbidden, Detail: "Cross-site requests are not allowed.", Cause: err}
			}
		}
		if err == nil {
			err = handle(w, r)
		}
		return err
	}
}

// attempts reports whether a page's requests are attempts to sign in.
func attempts(pattern string) bool {
	switch pattern {
	case "POST " + service.AuthPath + "key", "POST " + service.PortalPath, "POST " + service.PassPath, "GET " + service.OIDCCallback:
		return true
	}
	return false
}

// showSignIn shows the sign-in page with the current sign-in and the problem, if any.
func (a *api) showSignIn(w http.ResponseWriter, r *http.Request, problem *problem) {
	view := dashboard.SignIn{To: localPath(r.FormValue("to"))}
	if problem != nil {
		view.Problem = problem.Detail
		if wait := problem.GetHeaders().Get("Retry-After"); wait != "" {
			w.Header().Set("Retry-After", wait)
		}
	}
	view.Provider = a.s.IdentityProviderName()
	if c, err := a.signedIn(r); err == nil {
		view.Name, view.Role, view.ProviderID = c.Name, string(c.Role), c.ProviderID
		others, err := a.s.OtherRoles(r.Context(), c)
		if err != nil {
			a.Log.Warn("failed to read a person's roles")
		}
		for _, p := range others {
			view.Others = append(view.Others, dashboard.Role{ID: p.ID, Role: p.Role, ProviderID: p.ProviderID})
		}
	}
	status := http.StatusOK
	if problem != nil {
		status = problem.Status
	}
	if err := view.Write(w, status); err != nil {
		a.Log.Debug("the client closed the connection before the sign-in page ended") // the reader left
	}
}

// dashboard serves the app to signed-in browsers and redirects others to the
// sign-in page.
func (a *api) dashboard(w http.ResponseWriter, r *http.Request) {
	if !dashboard.IsFile(r.URL.Path) {
		if _, err := a.signedIn(r); errors.Is(err, service.ErrNotFound) {
			a.leave(w, service.AuthPath+"?to="+url.QueryEscape(r.URL.RequestURI()))
			return
		}
	}
	dashboard.ServeApp(w, r)
}

// toProvider redirects the browser to the identity provider.
func (a *api) toProvider(w http.ResponseWriter, r *http.Request) error {
	name, kept, to, err := a.s.BeginSignIn(r.Context(), localPath(r.URL.Query().Get("to")))
	if err != nil {
		return err
	}
	a.dropAttempts(w, r)
	http.SetCookie(w, a.cookie(oidcCookie+name, kept, service.OIDCPatience))
	a.leave(w, to)
	return nil
}

// dropAttempts deletes the attempts of a browser that has started many without
// finishing, so that its cookies stay below the size limits of servers.
func (a *api) dropAttempts(w http.ResponseWriter, r *http.Request) {
	var names []string
	for _, c := range r.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, a.cookieName(oidcCookie)); ok {
			names = append(names, name)
		}
	}
	if len(names) < maxAttempts {
		return
	}
	for _, name := range names {
		http.SetCookie(w, a.cookie(oidcCookie+name, "", 0))
	}
}

// fromProvider completes a sign-in when the identity provider redirects back.
func (a *api) fromProvider(w http.ResponseWriter, r *http.Request) error {
	var kept string
	if name := service.AttemptName(r.URL.Query().Get("state")); name != "" {
		kept = a.cookieValue(r, oidcCookie+name)
		http.SetCookie(w, a.cookie(oidcCookie+name, "", 0)) // one answer for each attempt
	}
	in, to, err := a.s.FinishSignIn(r.Context(), kept, r.URL.Query())
	return a.welcome(w, in, to, err)
}

func (a *api) signInWithKey(w http.ResponseWriter, r *http.Request) error {
	in, err := a.s.SignInWithKey(r.Context(), r.PostFormValue("key"))
	return a.welcome(w, in, r.PostFormValue("to"), err)
}

func (a *api) switchRole(w http.ResponseWriter, r *http.Request) error {
	c, err := a.signedIn(r)
	if err != nil {
		return err
	}
	in, err := a.s.SwitchRole(r.Context(), c, r.PostFormValue("person"))
	if err == nil {
		err = a.s.SignOut(r.Context(), a.cookieValue(r, signInCookie))
	}
	return a.welcome(w, in, r.PostFormValue("to"), err)
}

func (a *api) signOut(w http.ResponseWriter, r *http.Request) error {
	if value := a.cookieValue(r, signInCookie); value != "" {
		if err := a.s.SignOut(r.Context(), value); err != nil && !errors.Is(err, service.ErrNotFound) {
			return err
		}
	}
	http.SetCookie(w, a.cookie(signInCookie, "", 0))
	a.leave(w, service.AuthPath)
	return nil
}

// welcome sets the sign-in cookie and redirects.
func (a *api) welcome(w http.ResponseWriter, in service.OpenSignIn, to string, err error) error {
	if err != nil {
		return err
	}
	http.SetCookie(w, a.cookie(signInCookie, in.Value, in.Lasts))
	a.leave(w, localPath(to))
	return nil
}

func (a *api) leave(w http.ResponseWriter, to string) {
	h := w.Header()
	h.Set("Location", to)
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// portalInput has no Idempotency-Key, because a stored answer would contain the link. A
// second link does no harm.
type portalInput struct {
	Body struct {
		ProviderID       string `json:"provider_id" minLength:"1" maxLength:"128" example:"prov_demo"`
		ExpiresInSeconds int64  `json:"expires_in_seconds,omitempty" minimum:"60" maximum:"604800" example:"86400" doc:"Validity of the link. Default: 86400, one day"`
	}
}

type portalOutput struct {
	Body struct {
		ID         string `json:"id" doc:"Id for revoking the link: DELETE /api/v1/apikeys/{id}"`
		ProviderID string `json:"provider_id"`
		URL        string `json:"url" example:"https://api.example.com/auth/portal#sg_link_…" doc:"Signs its bearer in as the provider's guest. Shown only once"`
		ExpiresAt  int64  `json:"expires_at"`
	}
}

// routePortal adds portal links, and the page on which they open:
//
//	GET  /auth/portal  a button; the link's secret is in the fragment
//	POST /auth/portal  sign in with it
func (a *api) routePortal() {
	register(a, route{
		method: http.MethodPost, path: "/api/v1/portal", id: "create-portal-link", tag: "People", status: http.StatusCreated, roles: []service.Role{service.RoleAdmin},
		errors: []int{404}, summary: "Create a portal link, which signs a browser in as a provider's guest",
	}, a.createPortalLink)
	a.signInPage("GET "+service.PortalPath, func(w http.ResponseWriter, _ *http.Request) error {
		if err := dashboard.WritePortal(w); err != nil {
			a.Log.Debug("the client closed the connection before the portal page ended") // the reader left
		}
		return nil
	})
	a.signInPage("POST "+service.PortalPath, func(w http.ResponseWriter, r *http.Request) error {
		in, err := a.s.SignInByLink(r.Context(), r.PostFormValue("link"))
		return a.welcome(w, in, r.PostFormValue("to"), err)
	})
}

func (a *api) createPortalLink(ctx context.Context, in *portalInput) (*portalOutput, error) {
	req, err := Idempotent{}.request(ctx, "create-portal-link", in.Body.ProviderID, in.Body)
	if err != nil {
		return nil, err
	}
	good := service.DefaultPortalTime
	if n := in.Body.ExpiresInSeconds; n != 0 {
		good = time.Duration(n) * time.Second
	}
	link, kept, err := a.s.CreatePortalLink(ctx, req, in.Body.ProviderID, good)
	if err != nil {
		return nil, err
	}
	out := &portalOutput{}
	out.Body.ID, out.Body.ProviderID, out.Body.URL, out.Body.ExpiresAt = kept.ID, kept.ProviderID, link, kept.ExpiresAt
	return out, nil
}
