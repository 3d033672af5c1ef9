package marketplace

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// consentData asks for, or confirms, time beyond the sale's offer.
//
// An app's own scripts run on the same origin as the session's clock, so they
// could press its buttons. What was agreed at the sale may be spent there; all
// else is agreed here, on an origin that the app cannot touch.
type consentData struct {
	Session sessionView
	Choices []priced
	// How many tokens are missing for any of them.
	Short int64
	// Set after an extension: when the session now ends.
	Done bool
}

func (s *Server) consent(w http.ResponseWriter, r *http.Request, v *visit) error {
	id := r.URL.Query().Get("session_id")
	if id == "" {
		return s.findSession(w, r, v)
	}
	session, err := s.own(r.Context(), v, id)
	if err != nil {
		return err
	}
	data := consentData{Session: s.view(session), Done: r.URL.Query().Get("done") == "1"}
	if list := choices(data.Session.App); len(list) > 0 {
		data.Choices = pricedPlans(list, Extension{}, v.balance, 0)
		data.Short = cheapest(data.Choices)
	}
	title := "Add time to " + data.Session.App.Name
	s.render(w, r, v, http.StatusOK, "consent", title, data)
	return nil
}

// findSession leads from a session's consent_url, which was given before the
// session had an id, to the newest session that runs in that app.
func (s *Server) findSession(w http.ResponseWriter, r *http.Request, v *visit) error {
	list, _, err := s.api.sessions(r.Context(), v.userID, "", 20)
	if err != nil {
		return err
	}
	app := r.URL.Query().Get("app")
	for _, session := range list {
		if session.Running() && (app == "" || session.ProviderID == app) {
			http.Redirect(w, r, consentPath(session.ID), http.StatusSeeOther)
			return nil
		}
	}
	s.message(w, r, v, http.StatusNotFound, message{
		Title: "No session of yours is running",
		Text:  "Time can be added while you are in an app. Nothing was charged.",
	})
	return nil
}

func consentPath(id string) string { return "/consent?session_id=" + url.QueryEscape(id) }

// agree extends a session by a choice of ours. What the app asked for is no
// part of the form: it is the user who chooses here.
func (s *Server) agree(w http.ResponseWriter, r *http.Request, v *visit) error {
	session, err := s.own(r.Context(), v, r.PostFormValue("session_id"))
	if err != nil {
		return err
	}
	app := s.config.app(session.ProviderID)
	list, nonce := choices(app), r.PostFormValue("nonce")
	i, err := strconv.Atoi(r.PostFormValue("plan"))
	if err != nil || i < 0 || i >= len(list) || !isSecret(nonce) {
		return errBadForm
	}
	here := consentPath(session.ID)
	err = s.api.extend(r.Context(), session.ID, list[i], "consent-"+session.ID+"-"+nonce+"-"+strconv.Itoa(i))
	switch {
	case refused(err, "insufficient_tokens"):
		return s.poor(w, r, v, app, list[i], here)
	case refusedAsOver(err):
		http.Redirect(w, r, here, http.StatusSeeOther) // it has ended; the page says so
		return nil
	case err != nil:
		return err
	}
	http.Redirect(w, r, here+"&done=1", http.StatusSeeOther)
	return nil
}

// choices are the times that may be added to a session of app, shortest first:
// the extension of the sale, and the plans.
func choices(app App) []Plan {
	var list []Plan
	if e := app.Extension; e.AdditionalSeconds > 0 {
		list = append(list, Plan{Seconds: e.AdditionalSeconds, Tokens: e.Tokens})
	}
	for _, p := range app.Plans {
		if p.Seconds != app.Extension.AdditionalSeconds {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b Plan) int { return cmp.Compare(a.Seconds, b.Seconds) })
	for i := range list {
		list[i].Label = "+ " + duration(list[i].Seconds)
	}
	return list
}
