package marketplace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// errUnavailable says that the API did not answer, or could not.
var errUnavailable = errors.New("the session service does not answer")

// apiError is a refusal: an RFC 9457 document with a code for programs.
type apiError struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (e *apiError) Error() string { return fmt.Sprintf("API refused: %d %s", e.Status, e.Code) }

// refused reports whether err is the API's refusal with this code.
func refused(err error, code string) bool {
	var e *apiError
	return errors.As(err, &e) && e.Code == code
}

// refusedAsOver reports whether err says that the session has ended: the code
// then names how, as in session_expired.
func refusedAsOver(err error) bool {
	var e *apiError
	return errors.As(err, &e) && (e.Code == "illegal_transition" || strings.HasPrefix(e.Code, "session_"))
}

// api is the part of Sessiongate's HTTP API that a marketplace calls.
type api struct {
	base   string
	key    string
	client *http.Client
}

// credit gives a user tokens.
func (a *api) credit(ctx context.Context, userID string, amount int64, idempotencyKey string) error {
	in := map[string]int64{"amount": amount}
	return a.call(ctx, http.MethodPost, userPath(userID, "tokens"), idempotencyKey, in, nil)
}

// balance is what a user has.
func (a *api) balance(ctx context.Context, userID string) (Balance, error) {
	var out Balance
	err := a.call(ctx, http.MethodGet, userPath(userID, "balance"), "", nil, &out)
	return out, err
}

// ledger is a user's account, or only what one session did to it: newest first,
// and whether there is more than that.
func (a *api) ledger(ctx context.Context, userID, sessionID string) (list []Entry, more bool, err error) {
	q := url.Values{"limit": {"500"}}
	if sessionID != "" {
		q.Set("session_id", sessionID)
	}
	var out struct {
		Entries    []Entry `json:"entries"`
		NextCursor string  `json:"next_cursor"`
	}
	err = a.call(ctx, http.MethodGet, userPath(userID, "ledger")+"?"+q.Encode(), "", nil, &out)
	return out.Entries, out.NextCursor != "", err
}

// create sells a session: the API holds the tokens and says where to send the
// user.
func (a *api) create(ctx context.Context, in NewSession, idempotencyKey string) (Sale, error) {
	var out Sale
	err := a.call(ctx, http.MethodPost, "/api/v1/sessions", idempotencyKey, in, &out)
	return out, err
}

// session reads one session, whoever's it is: the caller checks the owner.
func (a *api) session(ctx context.Context, id string) (Session, error) {
	var out Session
	err := a.call(ctx, http.MethodGet, sessionPath(id, ""), "", nil, &out)
	return out, err
}

// sessions lists a user's sessions, newest first, and the cursor of the next
// page.
func (a *api) sessions(ctx context.Context, userID, cursor string, limit int) ([]Session, string, error) {
	q := url.Values{"user_id": {userID}, "limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var out struct {
		Sessions   []Session `json:"sessions"`
		NextCursor string    `json:"next_cursor"`
	}
	err := a.call(ctx, http.MethodGet, "/api/v1/sessions?"+q.Encode(), "", nil, &out)
	return out.Sessions, out.NextCursor, err
}

// timeline lists what happened to a session, oldest first. What its pages said
// is left out: it may be anything.
func (a *api) timeline(ctx context.Context, id string) ([]Event, error) {
	var out struct {
		Entries []json.RawMessage `json:"entries"`
	}
	if err := a.call(ctx, http.MethodGet, sessionPath(id, "/timeline"), "", nil, &out); err != nil {
		return nil, err
	}
	var list []Event
	for _, raw := range out.Entries {
		var e Event
		if json.Unmarshal(raw, &e) == nil && e.Kind != "page" {
			list = append(list, e)
		}
	}
	return list, nil
}

// complete ends a session and settles it. Ending twice answers the same.
func (a *api) complete(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodPost, sessionPath(id, "/complete"), "complete-"+id, struct{}{}, nil)
}

// relaunch makes a new link to a session that has not ended. The link of before and the
// browser that it opened lose the session.
func (a *api) relaunch(ctx context.Context, id string) (Sale, error) {
	var out Sale
	err := a.call(ctx, http.MethodPost, sessionPath(id, "/relaunch"), "", struct{}{}, &out)
	return out, err
}

// extend sells more time for a running session, beyond its offer if need be:
// the marketplace's key may, because the user agreed here.
func (a *api) extend(ctx context.Context, id string, p Plan, idempotencyKey string) error {
	in := map[string]int64{"additional_seconds": p.Seconds, "tokens_to_deduct": p.Tokens}
	return a.call(ctx, http.MethodPost, sessionPath(id, "/extend"), idempotencyKey, in, nil)
}

func userPath(id, what string) string { return "/api/v1/users/" + url.PathEscape(id) + "/" + what }

func sessionPath(id, action string) string { return "/api/v1/sessions/" + url.PathEscape(id) + action }

// call sends one request. Reads, and writes that carry an idempotency key, are
// sent once more when the answer was lost: the API does the work only once.
func (a *api) call(ctx context.Context, method, path, idempotencyKey string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encoding %s: %w", path, err)
		}
	}
	err := a.send(ctx, method, path, idempotencyKey, body, out)
	if errors.Is(err, errUnavailable) && (method == http.MethodGet || idempotencyKey != "") {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
			err = a.send(ctx, method, path, idempotencyKey, body, out)
		}
	}
	return err
}

func (a *api) send(ctx context.Context, method, path, idempotencyKey string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w: %w", method, path, errUnavailable, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w: %w", method, path, errUnavailable, err)
	}
	switch {
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s %s: %w: status %d", method, path, errUnavailable, res.StatusCode)
	case res.StatusCode >= 400:
		refusal := &apiError{}
		_ = json.Unmarshal(answer, refusal) // without a body, the status is what we know
		refusal.Status = res.StatusCode
		return fmt.Errorf("%s %s: %w", method, path, refusal)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w: %w", method, path, errUnavailable, err)
	}
	return nil
}
