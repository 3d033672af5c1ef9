package marketplace

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	visitorCookie = "market_visitor"
	visitorMaxAge = 365 * 24 * time.Hour
)

// visit is one request's visitor.
type visit struct {
	userID  string
	balance *Balance
}

// visit finds who asks, and makes a demo user of whoever is new.
func (s *Server) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	secret := ""
	if c, err := r.Cookie(visitorCookie); err == nil && isSecret(c.Value) {
		secret = c.Value
	}
	if secret == "" {
		secret = newSecret()
	}
	v := &visit{userID: userID(secret)}
	if err := s.readBalance(r.Context(), v); err != nil {
		return v, err
	}
	// Only now, so that a visitor whose welcome failed is welcomed next time.
	http.SetCookie(w, &http.Cookie{
		Name: visitorCookie, Value: secret, Path: "/", MaxAge: int(visitorMaxAge.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.config.PublicURL, "https:"),
	})
	return v, nil
}

// readBalance reads what v has. Somebody whose account has never seen a token
// is new here, or remembers a demo that was wiped since: both are welcomed.
func (s *Server) readBalance(ctx context.Context, v *visit) error {
	b, err := s.api.balance(ctx, v.userID)
	if err != nil && !refused(err, "not_found") {
		return err
	}
	if b == (Balance{}) {
		entries, _, err := s.api.ledger(ctx, v.userID, "")
		if err != nil && !refused(err, "not_found") {
			return err
		}
		if len(entries) == 0 {
			// The key makes one credit of two tabs that open at once.
			if err := s.api.credit(ctx, v.userID, s.config.StartBalance, "welcome-"+v.userID); err != nil {
				return err
			}
			b, err = s.api.balance(ctx, v.userID)
			if err != nil {
				return err
			}
		}
	}
	v.balance = &b
	return nil
}

// userID is the id that the API, and through it every provider, knows a
// visitor by. It is a hash of the cookie, so that knowing a user's id lets
// nobody be that user here.
func userID(secret string) string {
	sum := sha256.Sum256([]byte("marketplace user " + secret))
	return "user_" + hex.EncodeToString(sum[:12])
}

// newSecret is 128 random bits in hex.
func newSecret() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// isSecret reports whether s could be of [newSecret]. Cookies and form fields
// become part of idempotency keys: nothing else may.
func isSecret(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range s {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return false
		}
	}
	return true
}
