package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	livePath     = "/api/v1/providers/{id}/live"
	liveProtocol = "sessiongate.live"
	// Browsers cannot set headers on a WebSocket, so they send the API key as a
	// subprotocol. Unlike a URL, it does not end up in access logs.
	liveKeyPrefix = "sessiongate.key."
	liveEvery     = 5 * time.Second
	liveSettle    = 200 * time.Millisecond
	liveTimeout   = 10 * time.Second
)

// liveMessage is one message on the WebSocket.
type liveMessage struct {
	Type string `json:"type"` // counts, session or reset
	// Set for counts.
	Counts *shape.LiveCounts `json:"counts,omitempty"`
	// Set for session: its current state.
	Session      *protocol.LiveState `json:"session,omitempty"`
	ServerTimeMS int64               `json:"server_time_ms"`
}

// routeLive adds the WebSocket endpoint.
func (a *api) routeLive() {
	op := route{
		method: http.MethodGet, path: livePath, id: "follow-live", test: true, tag: "Analytics", roles: readers, errors: []int{404, 503},
		summary: "Stream live counts and session changes over a WebSocket",
	}.operation(a)
	op.Description += " Messages: counts ({active, paused, pending}, on connect and after changes), session (a LiveState), reset (changes were missed). " +
		"Browsers authenticate with the subprotocols " + liveProtocol + " and " + liveKeyPrefix + "<key>."
	op.Responses["101"] = &huma.Response{Description: "A WebSocket"}
	op.Middlewares = append(huma.Middlewares{keyFromProtocol}, op.Middlewares...)
	huma.Register(a.huma, op, a.live)
}

// keyFromProtocol copies an API key from the offered subprotocols to the Authorization
// header, unless the request has one.
func keyFromProtocol(hc huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(hc)
	if r.Header.Get("Authorization") == "" {
		for _, offered := range strings.Split(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
			if key, ok := strings.CutPrefix(strings.TrimSpace(offered), liveKeyPrefix); ok {
				r.Header.Set("Authorization", "Bearer "+key)
			}
		}
	}
	next(hc)
}

type liveInput struct {
	ID string `path:"id" maxLength:"128" example:"prov_demo"`
	ModeQuery
}

func (a *api) live(ctx context.Context, in *liveInput) (*huma.StreamResponse, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, a.answerOf(ctx, err)
	}
	_, mode, err := in.reading(ctx)
	if err != nil {
		return nil, a.answerOf(ctx, err)
	}
	sub, err := a.s.Subscribe("", in.ID)
	if err != nil {
		return nil, a.answerOf(ctx, err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		// A request with a key may come from any origin. Browsers send a cookie
		// without being asked, so a request with a cookie must have our origin.
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{liveProtocol}, InsecureSkipVerify: !callerOf(ctx).ByCookie,
		})
		if err != nil {
			return // Accept has answered
		}
		defer func() { _ = conn.CloseNow() }()
		ctx, cancel := context.WithCancel(conn.CloseRead(r.Context()))
		defer cancel()
		defer context.AfterFunc(a.Stopping, cancel)()
		a.follow(ctx, conn, in.ID, mode, sub, func() bool {
			_, err := a.authorize(r, readers, service.OwnBudget)
			return err == nil
		})
		conn.Close(websocket.StatusTryAgainLater, "try again later") // the error only says that the client has disconnected
	}}, nil
}

// follow sends changes to conn until ctx ends, the change stream is down, the client
// disconnects, or authorized returns false.
func (a *api) follow(ctx context.Context, conn *websocket.Conn, providerID string, mode service.Mode, sub *service.Subscription, authorized func() bool) {
	nextCounts := time.Now() // at once
	for {
		wait, cancel := context.WithDeadline(ctx, nextCounts)
		batch, err := sub.Next(wait)
		cancel()
		if ctx.Err() != nil || errors.Is(err, service.ErrStreamDown) {
			return
		}
		list := a.changesOf(providerID, mode, batch)
		if len(list) > 0 {
			nextCounts = earlier(nextCounts, time.Now().Add(liveSettle))
		}
		if now := time.Now(); !now.Before(nextCounts) {
			if !authorized() {
				return
			}
			counts, err := a.s.LiveCounts(ctx, providerID, mode)
			if err == nil {
				list = append(list, liveMessage{Type: "counts", Counts: &counts})
			}
			nextCounts = now.Add(liveEvery)
		}
		for _, m := range list {
			m.ServerTimeMS = a.Now().UnixMilli()
			if send(ctx, conn, m) != nil {
				return
			}
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, m liveMessage) error {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	return wsjson.Write(ctx, conn, m)
}

// changesOf returns the messages of a batch for one provider and mode. Every subscription
// begins with a reset, after which the client lists the sessions.
func (a *api) changesOf(providerID string, mode service.Mode, batch service.Batch) []liveMessage {
	var list []liveMessage
	if batch.Reset {
		list = append(list, liveMessage{Type: "reset"})
	}
	for _, e := range batch.Events {
		var l protocol.LiveState
		if json.Unmarshal(e.Data, &l) == nil && l.ProviderID == providerID && !strings.HasPrefix(l.ID, protocol.SiteIDPrefix) &&
			service.Mode(cmp.Or(l.Mode, protocol.LiveMode)) == mode {
			list = append(list, liveMessage{Type: "session", Session: &l})
		}
	}
	return list
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
