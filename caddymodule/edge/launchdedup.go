package edge

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// repeatWindow is how long a client may open its launch link again, if no request
// came with the session's cookie yet. On a double click, or on a reload during the
// redirect, browsers discard the response that sets the cookie: without this, the
// link would be spent and the user refused.
const repeatWindow = 10 * time.Second

// errBrokenOff is the error of a launch that panicked.
var errBrokenOff = errors.New("the launch was broken off")

// LaunchDedup are the launches of the last seconds. Safe for concurrent use.
type LaunchDedup struct {
	live *live.Store

	mu      sync.Mutex // guards the rest
	recent  map[LaunchKey]*launch
	sweptAt int64 // monotonic ms
}

func newLaunchDedup(live *live.Store) *LaunchDedup {
	return &LaunchDedup{live: live, recent: make(map[LaunchKey]*launch), sweptAt: MonotonicMS()}
}

// LaunchKey is one launch link opened by one client, hashed.
type LaunchKey [sha256.Size]byte

// launch is a launch, under way until done is closed.
type launch struct {
	done   chan struct{}
	at     int64 // monotonic ms of its end
	id     string
	cookie string
	err    error
}

// LaunchKeyOf tells clients apart by what a second request of the same browser
// has in common with its first.
func LaunchKeyOf(r *http.Request, token string) (key LaunchKey) {
	h := sha256.New()
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	for _, part := range []string{token, r.Host, client, r.UserAgent(), r.Header.Get("Accept-Language")} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Sum(key[:0])
	return key
}

// Do runs f for a launch, which returns the cookie of the session with this
// id. If the same client opens the same link again while f runs, or soon after,
// and no request has come with the cookie so far, it gets that cookie.
func (e *LaunchDedup) Do(ctx context.Context, key LaunchKey, id string, f func() (cookie string, err error)) (string, error) {
	e.mu.Lock()
	if first := e.recent[key]; first != nil {
		e.mu.Unlock()
		select {
		case <-first.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if first.err == nil && MonotonicMS()-first.at < repeatWindow.Milliseconds() {
			if s := e.live.ByID(first.id); s != nil && !s.Claimed() && !e.void(s, first.cookie) {
				return first.cookie, nil
			}
		}
		return f()
	}
	e.sweepLocked(MonotonicMS())
	one := &launch{done: make(chan struct{}), id: id, err: errBrokenOff}
	e.recent[key] = one
	e.mu.Unlock()
	defer func() {
		one.at = MonotonicMS()
		if one.err != nil {
			e.mu.Lock()
			delete(e.recent, key)
			e.mu.Unlock()
		}
		close(one.done)
	}()
	one.cookie, one.err = f()
	return one.cookie, one.err
}

// void reports whether the session was given another link since the cookie was set.
func (e *LaunchDedup) void(s *live.Session, cookie string) bool {
	found, link := e.live.Find(cookie)
	return found == s && s.RefusalOf(link) == protocol.SessionMoved
}

// sweepLocked forgets old entries, once in the time that they count.
func (e *LaunchDedup) sweepLocked(now int64) {
	if now-e.sweptAt < repeatWindow.Milliseconds() {
		return
	}
	e.sweptAt = now
	maps.DeleteFunc(e.recent, func(_ LaunchKey, one *launch) bool {
		select {
		case <-one.done:
			return now-one.at >= repeatWindow.Milliseconds()
		default:
			return false
		}
	})
}
