package marketplace

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// offer is an app as the shop shows it.
type offer struct {
	App
	// Position in Config.Apps; gives each app its own color.
	Index int
	Terms []term
	Plans []priced
	// How many tokens are missing for any of its plans.
	Short int64
}

func (s *Server) offer(i int, balance *Balance, wanted int) offer {
	a := s.config.Apps[i]
	o := offer{App: a, Index: i, Terms: termsOf(a), Plans: pricedPlans(a.Plans, a.Extension, balance, wanted)}
	o.Short = cheapest(o.Plans)
	return o
}

// homeData is the home page.
type homeData struct {
	Offers []offer
	// A session that still runs, and the way back into it.
	Running *sessionView
	// How many others of the latest sessions are open.
	More int
	// Whether the balance buys nothing.
	Poor bool
}

func (s *Server) home(w http.ResponseWriter, r *http.Request, v *visit) error {
	data := homeData{Poor: true}
	for i := range s.config.Apps {
		o := s.offer(i, v.balance, -1)
		data.Poor = data.Poor && o.Short > 0
		data.Offers = append(data.Offers, o)
	}
	recent, _, err := s.api.sessions(r.Context(), v.userID, "", 20)
	if err != nil {
		return err
	}
	for _, session := range recent {
		switch {
		case session.Over():
		case data.Running == nil:
			sv := s.view(session)
			data.Running = &sv
		default:
			data.More++
		}
	}
	s.render(w, r, v, http.StatusOK, "home", "Apps by the minute", data)
	return nil
}

// product is an app's own page, where its time is bought.
func (s *Server) product(w http.ResponseWriter, r *http.Request, v *visit) error {
	for i, a := range s.config.Apps {
		if a.ProviderID != r.PathValue("app") {
			continue
		}
		wanted, err := strconv.Atoi(r.URL.Query().Get("plan"))
		if err != nil {
			wanted = -1
		}
		s.render(w, r, v, http.StatusOK, "app", a.Name, s.offer(i, v.balance, wanted))
		return nil
	}
	return errNoPage
}

func appPath(providerID string) string { return "/apps/" + url.PathEscape(providerID) }

// buy sells a session. The idempotency key is the form's, so a double click, a
// reload or our own retry after a lost answer all buy the same one session.
func (s *Server) buy(w http.ResponseWriter, r *http.Request, v *visit) error {
	app, plan, key, err := s.purchase(r, v)
	if err != nil {
		return err
	}
	order := NewSession{
		UserID: v.userID, ProviderID: app.ProviderID,
		TokensAllocated: plan.Tokens, DurationLimitSeconds: plan.Seconds,
		ReturnURL:  s.config.PublicURL + "/session/complete",
		ConsentURL: s.config.PublicURL + "/consent?app=" + url.QueryEscape(app.ProviderID),
		Clock:      "launch", // time runs from the moment the user is in, not from the sale
	}
	if app.Terms.FromSale {
		order.Clock = "creation"
	}
	if e := app.Extension; e.MaxCount > 0 {
		order.Extension = &Extendable{AdditionalSeconds: e.AdditionalSeconds, Tokens: e.Tokens, MaxCount: e.MaxCount}
	}
	sale, err := s.api.create(r.Context(), order, key)
	switch {
	case refused(err, "insufficient_tokens"):
		return s.poor(w, r, v, app, plan, appPath(app.ProviderID)+"?plan="+r.PostFormValue("plan"))
	case refused(err, "idempotency_conflict"):
		return errBadForm
	case err != nil:
		return err
	}
	// An old form sent again answers with its old sale. That session may be
	// over; its receipt then says more than a spent launch.
	if now, err := s.api.session(r.Context(), sale.Session.ID); err == nil && now.Over() {
		http.Redirect(w, r, receiptPath(now.ID), http.StatusSeeOther)
		return nil
	}
	if sale.LaunchURL == "" { // the provider has named no address yet
		if err := s.api.complete(r.Context(), sale.Session.ID); err != nil {
			return err
		}
		return errNoAddress
	}
	if app.URL != "" && origin(app.URL) != origin(sale.LaunchURL) {
		s.config.Logger.Error("browsers will not follow the launch: App.URL has another origin than launch_url",
			"app", app.Name, "url", app.URL, "launch", origin(sale.LaunchURL))
	}
	s.launches.put(sale.Session.ID, sale.LaunchURL)
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, sale.LaunchURL, http.StatusSeeOther)
	return nil
}

// purchase reads the app and plan of a form, and makes its idempotency key.
// Prices are ours: a form names a plan, never a price.
func (s *Server) purchase(r *http.Request, v *visit) (App, Plan, string, error) {
	providerID, nonce := r.PostFormValue("app"), r.PostFormValue("nonce")
	app := s.config.app(providerID)
	i, err := strconv.Atoi(r.PostFormValue("plan"))
	if err != nil || i < 0 || i >= len(app.Plans) || !isSecret(nonce) {
		return App{}, Plan{}, "", errBadForm
	}
	// The plan is in the key: going back and choosing another one is another
	// purchase, not a conflict.
	return app, app.Plans[i], "buy-" + v.userID + "-" + nonce + "-" + strconv.Itoa(i), nil
}

// poorData is the page for a purchase that the balance does not cover.
type poorData struct {
	App  App
	Plan Plan
	// How many tokens are missing.
	Missing int64
	// Where to go on after a top-up.
	Back string
}

func (s *Server) poor(w http.ResponseWriter, r *http.Request, v *visit, app App, plan Plan, back string) error {
	data := poorData{App: app, Plan: plan, Back: back}
	if v.balance != nil {
		data.Missing = max(plan.Tokens-v.balance.Available, 1)
	}
	s.render(w, r, v, http.StatusPaymentRequired, "poor", "Not enough tokens", data)
	return nil
}

// topUp adds demo tokens. A real marketplace takes a payment first and credits
// when the payment provider says so, with the payment's id as the key.
func (s *Server) topUp(w http.ResponseWriter, r *http.Request, v *visit) error {
	nonce := r.PostFormValue("nonce")
	if !isSecret(nonce) {
		return errBadForm
	}
	if err := s.api.credit(r.Context(), v.userID, s.config.StartBalance, "topup-"+v.userID+"-"+nonce); err != nil {
		return err
	}
	// The form of a plan that the balance does not buy names that plan: back to it.
	back := r.PostFormValue("back")
	if app := s.config.app(r.PostFormValue("app")); back == "" && len(app.Plans) > 0 {
		back = appPath(app.ProviderID) + "?plan=" + url.QueryEscape(r.PostFormValue("plan"))
	}
	http.Redirect(w, r, toppedUp(localPath(back, "/")), http.StatusSeeOther)
	return nil
}

// toppedUp is path with the word that makes its page say so.
func toppedUp(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return path
	}
	q := u.Query()
	q.Set("notice", "topup")
	u.RawQuery = q.Encode()
	return u.String()
}

// origin is a URL's scheme and host, "" when it has none.
func origin(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// localPath is path when it leads to a page of ours; else fallback. What a
// browser reads as another host ("//host", "/\host") is refused.
func localPath(path, fallback string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || len(path) < 2 || path[0] != '/' ||
		strings.ContainsAny(path, "\\\r\n\t") || path[1] == '/' {
		return fallback
	}
	return path
}
