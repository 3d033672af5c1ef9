package marketplace

import (
	"net/http"
	"slices"
)

// line is a ledger entry as it moved the user's two accounts.
type line struct {
	Kind string
	Text string
	At   int64
	// What it did to the tokens set aside, and to those to spend.
	Held      int64
	Available int64
	// The app and the receipt of the session that it belongs to, if any.
	App     string
	Receipt string
	// What there was to spend after it; of a statement only.
	Balance int64
}

// lines puts a session's entries into words, oldest first, with the sums of
// both columns. The API lists them newest first.
func lines(entries []Entry) (list []line, held, available int64) {
	sold := map[string]bool{}
	for _, e := range slices.Backward(entries) {
		l := line{Kind: e.Kind, Text: e.Kind, At: e.At}
		switch e.Kind {
		case "credit":
			l.Text, l.Available = "Tokens added", e.Amount
		case "hold":
			l.Text, l.Held, l.Available = "Set aside at purchase", e.Amount, -e.Amount
			if sold[e.SessionID] { // the first hold is the sale's
				l.Text = "Set aside for more time"
			}
			sold[e.SessionID] = true
		case "capture":
			l.Text, l.Held = "Paid to the app", -e.Amount
		case "release":
			l.Text, l.Held, l.Available = "Given back", -e.Amount, e.Amount
		}
		list = append(list, l)
		held, available = held+l.Held, available+l.Available
	}
	return list, held, available
}

// statementData is a visitor's account, newest line first.
type statementData struct {
	Lines []line
	// Whether older lines were left out.
	More bool
}

// statement is all that moved a visitor's tokens.
func (s *Server) statement(w http.ResponseWriter, r *http.Request, v *visit) error {
	entries, more, err := s.api.ledger(r.Context(), v.userID, "")
	if err != nil {
		return err
	}
	if b, err := s.api.balance(r.Context(), v.userID); err == nil {
		v.balance = &b // a settlement may have come since the visitor was looked up
	}
	data := statementData{More: more}
	var balance int64
	data.Lines, _, balance = lines(entries)
	slices.Reverse(data.Lines)
	if more {
		balance = v.balance.Available
	}
	for i := range data.Lines {
		l, e := &data.Lines[i], entries[i]
		if e.SessionID != "" {
			l.App, l.Receipt = s.config.app(e.ProviderID).Name, receiptPath(e.SessionID)
		}
		if l.Kind == "credit" {
			l.Text = "Top-up"
			if i == len(data.Lines)-1 && !more {
				l.Text = "Welcome tokens"
			}
		}
		l.Balance = balance
		balance -= l.Available
	}
	s.render(w, r, v, http.StatusOK, "tokens", "Your tokens", data)
	return nil
}
