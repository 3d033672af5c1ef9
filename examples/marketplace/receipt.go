package marketplace

import (
	"context"
	"net/http"
	"time"
)

// receiptData is what became of one session.
type receiptData struct {
	Session sessionView
	// The session's ledger, and the sums of its columns.
	Lines        []line
	HeldSum      int64
	AvailableSum int64
	// Tokens set aside in all, and how many of them for extensions.
	Held     int64
	Extended int64
	// The session's seconds, their sum, and how they became tokens.
	Times   []timeLine
	TimeSum int64
	Pricing string
	Bar     timeBar
	// How much of the time bought was used, in percent.
	UsedPercent int64
	// Whether time is up and the settlement is a moment away.
	Settling bool
}

// receipt answers the return_url, where the gate sends every user whose session
// is over, with session_id in the query.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request, v *visit) error {
	id := r.URL.Query().Get("session_id")
	if id == "" {
		http.Redirect(w, r, "/history", http.StatusSeeOther)
		return nil
	}
	session, err := s.own(r.Context(), v, id)
	if err != nil {
		return err
	}
	session = s.awaitSettlement(r.Context(), session)
	entries, _, err := s.api.ledger(r.Context(), v.userID, id)
	if err != nil {
		return err
	}
	// The settlement may have come since the visitor was looked up.
	if b, err := s.api.balance(r.Context(), v.userID); err == nil {
		v.balance = &b
	}

	data := receiptData{Session: s.view(session), Held: session.TokensAllocated}
	data.Lines, data.HeldSum, data.AvailableSum = lines(entries)
	for i, l := range data.Lines {
		if i > 0 && l.Kind == "hold" {
			data.Extended += l.Held
		}
	}
	if limit := session.DurationLimitSeconds; limit > 0 {
		data.UsedPercent = min((100*data.Session.Used+limit-1)/limit, 100) // a little shows as a little
	}
	// The account of time is worth having, and no reason to go without a receipt.
	if events, err := s.api.timeline(r.Context(), id); err == nil {
		now := s.config.Now().Unix()
		data.Times, data.TimeSum = timeAccount(&data.Session, events, now)
		data.Bar = newTimeBar(data.Session, data.Times, now)
		data.Pricing = pricing(data.Session)
	} else {
		s.config.Logger.Warn("a receipt has no account of time", "error", err)
	}
	data.Settling = session.Running() && session.ExpiresAt <= s.config.Now().Unix()
	s.render(w, r, v, http.StatusOK, "receipt", data.Session.App.Name+": "+data.Session.Outcome, data)
	return nil
}

// own reads a session and refuses another user's, in the same words as one that
// does not exist.
func (s *Server) own(ctx context.Context, v *visit, id string) (Session, error) {
	session, err := s.api.session(ctx, id)
	if err != nil {
		// A malformed id is nobody's session either.
		if refused(err, "not_found") || refused(err, "invalid_request") {
			return Session{}, errNoAccess
		}
		return Session{}, err
	}
	if session.UserID != v.userID {
		return Session{}, errNoAccess
	}
	return session, nil
}

// awaitSettlement waits a moment for a session whose deadline has just passed:
// the gate may send its user here before the ledger is written.
func (s *Server) awaitSettlement(ctx context.Context, session Session) Session {
	for range 8 {
		if !session.Running() || session.Status == "paused" || session.ExpiresAt > s.config.Now().Unix() {
			return session
		}
		select {
		case <-ctx.Done():
			return session
		case <-time.After(200 * time.Millisecond):
		}
		if now, err := s.api.session(ctx, session.ID); err == nil {
			session = now
		}
	}
	return session
}

// end ends a running session from the marketplace's side.
func (s *Server) end(w http.ResponseWriter, r *http.Request, v *visit) error {
	session, err := s.own(r.Context(), v, r.PostFormValue("session_id"))
	if err != nil {
		return err
	}
	// A session that has ended meanwhile is as the visitor wants it.
	if err := s.api.complete(r.Context(), session.ID); err != nil && !refusedAsOver(err) {
		return err
	}
	http.Redirect(w, r, receiptPath(session.ID), http.StatusSeeOther)
	return nil
}

// openAgain opens a running session in this browser, wherever it was open before: the
// visitor closed the browser, lost its cookies, or has moved to another device.
func (s *Server) openAgain(w http.ResponseWriter, r *http.Request, v *visit) error {
	session, err := s.own(r.Context(), v, r.PostFormValue("session_id"))
	if err != nil {
		return err
	}
	again, err := s.api.relaunch(r.Context(), session.ID)
	if refusedAsOver(err) { // it has ended meanwhile
		http.Redirect(w, r, receiptPath(session.ID), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	if again.LaunchURL == "" {
		return errNoAddress
	}
	s.launches.put(session.ID, again.LaunchURL)
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, again.LaunchURL, http.StatusSeeOther)
	return nil
}

// historyData is one page of a visitor's sessions.
type historyData struct {
	Sessions []sessionView
	// The cursor of the next page, "" on the last.
	Older string
	// Whether this is not the first page.
	Paged bool
}

func (s *Server) history(w http.ResponseWriter, r *http.Request, v *visit) error {
	cursor := r.URL.Query().Get("cursor")
	list, next, err := s.api.sessions(r.Context(), v.userID, cursor, 20)
	if refused(err, "invalid_request") && cursor != "" {
		http.Redirect(w, r, "/history", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	data := historyData{Older: next, Paged: cursor != ""}
	for _, session := range list {
		data.Sessions = append(data.Sessions, s.view(session))
	}
	s.render(w, r, v, http.StatusOK, "history", "Your sessions", data)
	return nil
}
