package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/sessiongate/sessiongate/backend/dashboard"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
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
	a.signInPage("GET "+authPath+"{$}", func(w http.ResponseWriter, r *http.Request) error { a.showSignIn(w, r, nil); return nil })
	a.signInPage("GET "+authPath+"oidc", a.toProvider)
	a.signInPage("GET "+oidcCallback, a.fromProvider)
	a.signInPage("POST "+authPath+"key", a.signInWithKey)
	a.signInPage("POST "+authPath+"switch", a.switchRole)
	a.signInPage("POST "+authPath+"sign-out", a.signOut)
	a.routePortal()
}

// signInPage adds a page that needs no sign-in: limited by address, its writes
// from our own pages only, its refusals shown on the sign-in page.
func (a *api) signInPage(pattern string, handle func(http.ResponseWriter, *http.Request) error) {
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		// First: a refusal is shown on a page that reads the form, too.
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		err := a.s.limited(r.Context(), "address:"+a.s.addressOf(r), a.s.rates.address)
		if err == nil && r.Method == http.MethodPost {
			if err = otherSites.Check(r); err != nil {
				err = &refusal{code: protocol.Forbidden, detail: "A page of another site sent this.", cause: err}
			}
		}
		if err == nil {
			err = handle(w, r)
		}
		if err != nil {
			p := problemOf(err)
			a.logRefusal(r.Context(), p, err)
			a.showSignIn(w, r, p)
		}
	})
}

// showSignIn shows who is signed in, or how to sign in, and what went wrong.
func (a *api) showSignIn(w http.ResponseWriter, r *http.Request, problem *problem) {
	view := dashboard.SignIn{To: localPath(r.FormValue("to"))}
	if problem != nil {
		view.Problem = problem.Detail
		if problem.Status == http.StatusTooManyRequests || problem.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
	}
	if a.s.people != nil {
		view.Provider = a.s.people.config.Name
	}
	if c, err := a.s.signedIn(r); err == nil {
		view.Name, view.Role, view.ProviderID = c.name, string(c.role), c.providerID
		if c.person.ID != "" {
			roles, err := a.s.store.PeopleByEmail(r.Context(), c.person.Email)
			if err != nil {
				a.s.log.Warn("a person's roles could not be read")
			}
			for _, p := range roles {
				if p.ID != c.person.ID {
					view.Others = append(view.Others, dashboard.Role{ID: p.ID, Role: p.Role, ProviderID: p.ProviderID})
				}
			}
		}
	}
	status := http.StatusOK
	if problem != nil {
		status = problem.Status
	}
	if err := view.Write(w, status); err != nil {
		a.s.log.Debug("the sign-in page was not read to its end") // the reader left
	}
}

// dashboard serves the app, to whom is signed in: the others would see it ask, be
// refused and leave.
func (a *api) dashboard(w http.ResponseWriter, r *http.Request) {
	if !dashboard.IsFile(r.URL.Path) {
		if _, err := a.s.signedIn(r); errors.Is(err, store.ErrNotFound) {
			a.leave(w, authPath+"?to="+url.QueryEscape(r.URL.RequestURI()))
			return
		}
	}
	dashboard.ServeApp(w, r)
}

// toProvider sends a browser to the identity provider.
func (a *api) toProvider(w http.ResponseWriter, r *http.Request) error {
	if a.s.people == nil {
		return refuse(protocol.NotFound, "No identity provider is configured here. Sign in with a key.")
	}
	at := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: localPath(r.URL.Query().Get("to"))}
	to, err := a.s.people.begin(r.Context(), at)
	if err != nil {
		return err
	}
	kept, err := at.encode()
	if err != nil {
		return err
	}
	http.SetCookie(w, a.s.cookie(oidcCookie, kept, oidcPatience))
	a.leave(w, to)
	return nil
}

// fromProvider signs in whom the identity provider sent back.
func (a *api) fromProvider(w http.ResponseWriter, r *http.Request) error {
	if a.s.people == nil {
		return refuse(protocol.NotFound, "No identity provider is configured here. Sign in with a key.")
	}
	at, ok := readAttempt(r, a.s.cookieName(oidcCookie))
	http.SetCookie(w, a.s.cookie(oidcCookie, "", 0)) // one answer for each attempt
	if !ok {
		return notSignedIn("This browser began no sign-in, or more than ten minutes ago. Sign in again.", nil)
	}
	code, err := answerOfProvider(r.URL.Query(), at, a.s.people.config.Issuer)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), 3*oidcTimeout)
	defer cancel()
	who, err := a.s.people.finish(ctx, at, code)
	if err != nil {
		return err
	}
	cookie, err := a.s.signInAs(ctx, who)
	return a.welcome(w, cookie, at.To, err)
}

func (a *api) signInWithKey(w http.ResponseWriter, r *http.Request) error {
	cookie, err := a.s.signInWithKey(r.Context(), r.PostFormValue("key"))
	return a.welcome(w, cookie, r.PostFormValue("to"), err)
}

func (a *api) switchRole(w http.ResponseWriter, r *http.Request) error {
	c, err := a.s.signedIn(r)
	if err != nil {
		return err
	}
	cookie, err := a.s.switchRole(r.Context(), c, r.PostFormValue("person"))
	if err == nil {
		err = a.s.signOut(r)
	}
	return a.welcome(w, cookie, r.PostFormValue("to"), err)
}

func (a *api) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.s.signOut(r); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	http.SetCookie(w, a.s.cookie(signInCookie, "", 0))
	a.leave(w, authPath)
	return nil
}

// welcome hands a browser its cookie and sends it on.
func (a *api) welcome(w http.ResponseWriter, cookie *http.Cookie, to string, err error) error {
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	a.leave(w, localPath(to))
	return nil
}

func (a *api) leave(w http.ResponseWriter, to string) {
	h := w.Header()
	h.Set("Location", to)
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}
