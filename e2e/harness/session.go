package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Session is a session that was sold and, once it has a cookie, entered.
type Session struct {
	ID     string
	Cookie string // the value of the gate's cookie
	launch string // the query of its launch URL
}

// Register adds a provider, whose app is at a host.
func (h *Harness) Register(provider, host string) error {
	return h.Call("admin", "POST", "/api/v1/providers", map[string]any{
		"id": provider, "name": provider, "app_url": "http://" + host + "/", "policies": map[string]any{"return_hosts": []string{"market.example"}},
	}, nil)
}

// Sell sells a user an hour at a provider.
func (h *Harness) Sell(user, provider string) (*Session, error) {
	if err := h.Call("marketplace", "POST", "/api/v1/users/"+user+"/tokens", map[string]any{"amount": 1000}, nil); err != nil {
		return nil, err
	}
	var sold struct {
		Session struct {
			ID string `json:"id"`
		} `json:"session"`
		LaunchURL string `json:"launch_url"`
	}
	if err := h.Call("marketplace", "POST", "/api/v1/sessions", map[string]any{
		"user_id": user, "provider_id": provider, "tokens_allocated": 10, "duration_limit_seconds": 3600, "return_url": "http://market.example/",
	}, &sold); err != nil {
		return nil, err
	}
	if sold.Session.ID == "" {
		return nil, errors.New("the sale has no id")
	}
	_, launch, _ := strings.Cut(sold.LaunchURL, "?")
	return &Session{ID: sold.Session.ID, launch: launch}, nil
}

// Revoke ends a session.
func (h *Harness) Revoke(s *Session) error {
	return h.Call("marketplace", "POST", "/api/v1/sessions/"+s.ID+"/revoke", map[string]any{"refund": "prorated"}, nil)
}

// Enter enters the session at a host that an edge serves in the clear at an address.
func (s *Session) Enter(edge, host string) error {
	return Await("the session is not entered", func() error {
		answer, err := Exchange(edge, "GET /?"+s.launch+" HTTP/1.1\r\nHost: "+host+"\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
		if err != nil {
			return err
		}
		for line := range strings.Lines(answer) {
			if value, ok := strings.CutPrefix(line, "Set-Cookie: session_gate="); ok {
				s.Cookie, _, _ = strings.Cut(value, ";")
				return nil
			}
		}
		return fmt.Errorf("the edge answers %.300q", answer)
	})
}

// Exchange sends bytes on a connection of their own and returns what comes back, until
// the server closes the connection or is silent for a moment.
func Exchange(address, sent string) (string, error) { return exchange(address, sent, 20*time.Second) }

// Blind is an exchange of which the answer says nothing: it does not wait long for one.
func Blind(address, sent string) (string, error) { return exchange(address, sent, time.Second) }

// silence is how long a server may say nothing before an exchange counts as over, once it
// has answered; before that, it may take as long as a busy machine needs.
const silence = 150 * time.Millisecond

func exchange(address, sent string, wait time.Duration) (string, error) {
	c, err := net.DialTimeout("tcp", address, Patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return Talk(c, sent, wait)
}

// Talk is an exchange on a connection.
func Talk(c net.Conn, sent string, wait time.Duration) (string, error) {
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, sent); err != nil {
		return "", nil //nolint:nilerr // the server has refused to read on
	}
	var got bytes.Buffer
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return got.String(), nil //nolint:nilerr // the answer ended, or there is none
		}
		if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return "", err
		}
	}
}
