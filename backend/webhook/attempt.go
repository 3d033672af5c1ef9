package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/internal/publicip"
)

const (
	// AttemptTimeout bounds one attempt, from the connection to the end of the
	// response.
	AttemptTimeout = 15 * time.Second
	// maxResponse is the most bytes of a response that are recorded.
	maxResponse = 4 << 10
	userAgent   = "Sessiongate-Webhook/1"
)

// Sender sends messages to webhook endpoints. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	now    func() time.Time
}

// NewSender returns a sender that connects only to addresses that guard allows. It
// uses no proxy and follows no redirect, since both could bypass the guard.
func NewSender(guard Guard, now func() time.Time) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: guard.Control}
	return &Sender{now: now, client: &http.Client{
		Timeout:       AttemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConns: 256, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 32 << 10,
		},
	}}
}

// Message is one webhook request. Every attempt sends the same ID and Body.
type Message struct {
	ID      string
	URL     string
	Secrets []string
	Body    []byte
}

// Send makes one attempt and returns its result, also when the endpoint does not
// answer. It returns an error only if the message cannot be sent at all (its URL or
// a secret is not valid) or ctx ended first.
func (s *Sender) Send(ctx context.Context, m Message) (Result, error) {
	begun := s.now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Result{}, fmt.Errorf("calling webhook: %w", ErrURL)
	}
	if err := setHeaders(req.Header, m.Secrets, m.ID, begun, m.Body); err != nil {
		return Result{}, fmt.Errorf("signing webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	// Receivers recognize a message by its id, so that the client may send it again on a new
	// connection if the endpoint has closed the one that was kept. It sends no such header.
	req.Header["Idempotency-Key"] = []string{}
	watch := time.Now() // measures the duration; s.now only tells the time
	resp, err := s.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		return Result{Response: explain(err), At: begun, Took: time.Since(watch)}, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil && len(body) == 0 {
		body = []byte(explain(err))
	}
	return Result{
		Code: resp.StatusCode, Response: clean(body), At: begun, Took: time.Since(watch),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), begun),
	}, nil
}

// explain returns the text of a connection error that the provider is shown.
func explain(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return "no answer within 15 s"
		}
		err = e.Err
	}
	if errors.Is(err, publicip.ErrPrivate) {
		return "the host is not a public address"
	}
	// Their text contains addresses of this service's network: its resolver's and its own.
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the host has no address"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return clean([]byte(e.Op + ": " + e.Err.Error()))
	}
	return clean([]byte(err.Error()))
}

// clean returns b as text that every database accepts: valid UTF-8 without NUL.
func clean(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
}

// Close closes idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// The request headers of the Standard Webhooks specification.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	secretPrefix = "whsec_"
	secretBytes  = 32
)

// ErrSecret is returned for a secret that [NewSecret] did not make.
var ErrSecret = errors.New("a webhook secret must be whsec_ followed by base64")

// NewSecret returns a new secret with 256 random bits.
func NewSecret() string {
	key := make([]byte, secretBytes)
	rand.Read(key) // never fails, by its contract
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Sign returns the signature of one attempt: "v1," followed by the base64 of an
// HMAC-SHA256 over id, time and body. The time is signed so that receivers can
// reject replays of old requests.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return "", ErrSecret
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return "", ErrSecret // err might quote the secret
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// setHeaders adds the id, the time and one signature per secret. During a secret
// rotation there are two secrets, and a receiver that knows either one accepts.
func setHeaders(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		s, err := Sign(secret, id, at, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, s)
	}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(HeaderSignature, strings.Join(signatures, " "))
	return nil
}
